"""Partial channels: of each mixture's input one part in a few goes through the candidates, and the rest around them.

Xu et al. 2020 (PC-DARTS), section 3.1. A search needs so much less memory and time that its batches can be larger. The
candidates of a supernet are made narrower for it, so that it is no longer one whose weights an architecture could
take: what is found is trained from scratch, with all its channels. On the way candidates can become wider again, from
what they have learnt (Chen et al. 2021, section 3.3, by the net2wider of Chen, Goodfellow and Shlens 2016).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from netwright.errors import SpaceError
from netwright.supernet.relaxations import SPREAD, Relaxation
from netwright.supernet.slicing import CONVOLUTIONS
from netwright.supernet.supernet import Supernet
from netwright.supernet.switches import Mixed, Way

_POOLS: Mapping[int, Callable[..., Tensor]] = {
    1: functional.max_pool1d,
    2: functional.max_pool2d,
    3: functional.max_pool3d,
}
_SIDES = {nn.Conv1d: (16,), nn.Conv2d: (16, 16), nn.Conv3d: (16, 16, 16), nn.Linear: ()}
_HINT = "Use darts or plain drnas: they mix all channels."


@final
class EdgeNormalised(Relaxation):
    """Every option counts for its probability, and every connection into a node for its own (Xu et al. 2020, eq. 2).

    Beside ``alpha`` there is ``beta``: a number for each connection of an ``inputs`` whose layers are all open. The
    softmax over the connections into a node weighs what their layers give, and connections are picked by the product
    of both. Where the sum of a node is written in the network itself, there is no such number.

    Costs are expected (:meth:`chances`) as if a node drew its connections by these numbers alone, and each connection
    its operation by ``alpha``: so the expectation is a mean over networks, exactly, and it has a gradient by every
    number. That connections are picked by what their operations count for, too, is left out of it: a price would
    then be paid by leaving dear operations undecided.
    """

    def __init__(self, supernet: Supernet, *, seed: int = 0) -> None:
        super().__init__(supernet, seed=seed)
        # Numbers of another stream than those of alpha.
        draw = torch.Generator().manual_seed(seed + 2**32)
        self.nodes = {
            name: layers for name, layers in self.edges.items() if all(layer in self.open for layer in layers)
        }
        self.beta = nn.ParameterList(
            nn.Parameter(SPREAD * torch.randn(len(layers), generator=draw)) for layers in self.nodes.values()
        )
        self._places = {
            layer: (node, index)
            for node, layers in enumerate(self.nodes.values())
            for index, layer in enumerate(layers)
        }

    def ways(self, generator: torch.Generator) -> dict[str, Way]:
        rows = {}
        for decision, row in self._pairs():
            positions = self._positions(decision)
            rows[decision.name] = Way(tuple(positions), self.share(row)[: len(positions)])
        return self.completed(rows)

    def chances(self) -> dict[str, Tensor]:
        """The probabilities, and how likely each way to pick connections is, where they have numbers.

        A pick of k connections counts for the product of their numbers' softmax, divided by the sum over all picks of
        k: k draws of which only those without repetition are taken. The likeliest is that of the k largest numbers; a
        connection is kept with a probability of at most 1, k of them on average, and where k is 1 with its softmax.
        """
        rows = self.probabilities()
        for name, row in zip(self.nodes, self.beta, strict=True):
            if name in self.open:
                picks = torch.tensor(self.open[name].options, device=row.device)
                rows[name] = row[picks].sum(1).softmax(0)
        return rows

    def strength(self, layer: str) -> Tensor | None:
        """What the connection with this layer counts for; None where it has no number."""
        if layer not in self._places:
            return None
        node, index = self._places[layer]
        strength: Tensor = self.beta[node].softmax(0)[index]
        return strength

    def _strength_of_picks(self, name: str, rows: Mapping[str, list[float]]) -> list[float]:
        weighed = dict(rows)
        for layer in self.nodes.get(name, ()):
            strength = self.strength(layer)
            assert strength is not None
            weighed[layer] = [score + math.log(max(float(strength.detach()), 1e-300)) for score in rows[layer]]
        return super()._strength_of_picks(name, weighed)


@final
class PartialChannels:
    """What stands around one mixture: its input is divided before it, and joined with what it gives after it.

    The first of ``parts`` equal parts of the channels (the second dimension) goes through the mixture. The rest goes
    around it, through a max pooling of two where the mixture halves the resolution, as published; then the channels
    are shuffled, so that others go through the next one. While several options run, the outcome counts for what its
    connection does. SpaceError, in the name of the decision, for inputs and outputs that this does not fit; ``later``
    are other numbers of parts that they will have to fit.
    """

    def __init__(
        self, mixed: Mixed, parts: int, relaxation: EdgeNormalised | None = None, later: Sequence[int] = ()
    ) -> None:
        self.board, self.name = mixed.board, mixed.name
        self.parts, self.relaxation, self.later = parts, relaxation, tuple(later)
        self.deep: list[nn.Module] = []
        """Those layers of its candidates that were convolutions of each channel by itself."""
        self._rest: Tensor | None = None

    def before(self, _: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """The part that goes through."""
        if len(inputs) != 1 or not isinstance(inputs[0], Tensor) or inputs[0].dim() < 2:
            raise _refusal(self.name, "its input is no tensor (N, channels, …)")
        x = inputs[0]
        for parts in (self.parts, *self.later):
            if x.shape[1] % parts:
                raise _refusal(self.name, f"{x.shape[1]} channels cannot be divided into {parts} parts")
        width = x.shape[1] // self.parts
        self._rest = x[:, width:]
        # In one piece, or every candidate would copy it.
        return (x[:, :width].contiguous(memory_format=_layout(x)),)

    def after(self, _: nn.Module, inputs: tuple[Any, ...], outcome: Any) -> Tensor:
        """The outcome joined with the rest, shuffled."""
        rest, part = self._rest, inputs[0]
        self._rest = None
        assert rest is not None
        if not isinstance(outcome, Tensor) or outcome.shape[:2] != part.shape[:2]:
            raise _refusal(self.name, f"it gives another number of channels than the {self.parts * part.shape[1]} it "
                                      "takes")  # fmt: skip
        joined = shuffled(torch.cat([outcome, self._pooled(rest, outcome)], 1), self.parts)
        if self.relaxation is None or self.board.way(self.name).single:
            return joined
        strength = self.relaxation.strength(self.name)
        return joined if strength is None else joined * strength

    def _pooled(self, rest: Tensor, outcome: Tensor) -> Tensor:
        before, after = tuple(rest.shape[2:]), tuple(outcome.shape[2:])
        if before == after:
            return rest
        for ceil in (False, True):
            if len(before) in _POOLS and after == tuple((size + ceil) // 2 for size in before):
                return _POOLS[len(before)](rest, 2, 2, ceil_mode=ceil)
        raise _refusal(self.name, f"it makes {after} of {before}, which is neither the same size nor half of it")


def narrow(
    supernet: Supernet, parts: int, relaxation: EdgeNormalised | None = None, *, later: Sequence[int] = ()
) -> None:
    """Makes all candidates narrower by ``parts``, and lets the rest of the channels go around their mixtures.

    Candidates of candidates go with those around them. Weights are the first part of those that were there, enlarged
    as the initial weights of so much fewer inputs would be. SpaceError, in the name of the decision and before
    anything is changed, where a candidate has layers that are not known to have channels, and where one gives another
    number of channels than it takes; by ``later`` parts, too, for which :func:`widen` is to be called.
    """
    sizes = [decision.name for decision in supernet.values if decision.cardinality > 1]
    if sizes:
        raise SpaceError(
            f"the number of channels follows from decision '{sizes[0]}', and no part of it can be taken", hint=_HINT
        )
    mixtures = list(_outermost(supernet.network))
    if not mixtures:
        raise SpaceError("there is nothing to mix: the space has no decision by one_of", hint=_HINT)
    known = [around for mixed in mixtures if (around := getattr(mixed, "around", None)) is not None]
    if known:
        if {around.parts for around in known} != {parts}:
            raise SpaceError(f"the supernet already has mixtures of one part in {known[0].parts}")
        if not all(set(later) <= set(around.later) for around in known):
            raise SpaceError("the supernet was made narrow for good, and its candidates cannot become wider")
        for around in known:
            around.relaxation, around.later = relaxation, tuple(later)
        return
    for mixed in mixtures:
        for position, candidate in enumerate(mixed.candidates):
            option = (supernet.space.declared[mixed.name].options or ())[position]
            for number in (parts, *later):
                _tried(supernet, mixed.name, f"candidate '{option}'", candidate, number)
    seen: set[int] = set()
    for mixed in mixtures:
        around = PartialChannels(mixed, parts, relaxation, later)
        for candidate in mixed.candidates:
            around.deep += _narrow(candidate, parts, mixed.name, seen)
        mixed.register_forward_pre_hook(around.before)
        mixed.register_forward_hook(around.after)
        mixed.around = around  # type: ignore[assignment]
    supernet.narrowed = True


def widen(
    supernet: Supernet, parts: int, generator: torch.Generator, optimizer: torch.optim.Optimizer | None = None
) -> None:
    """Makes candidates that :func:`narrow` made wider again: from now on one channel in ``parts`` goes through them.

    Every output of a layer becomes one or more neighbouring copies. What a layer takes from the copies of one input is
    what it took from that: its weight is divided among them, by shares that ``generator`` draws, so that copies do not
    stay twins. A candidate whose inputs are such copies gives copies of what it gave, up to rounding (where a
    depthwise convolution makes several channels of one, if widths grow by whole factors). In a search its new inputs
    are other channels: norms scale what comes of them, and their statistics follow within a few steps. ``optimizer``
    keeps what it remembers of a weight for each of its copies. Weights stay the same objects.

    With ``parts`` 1 all channels are mixed, as if the supernet had never been narrow: its weights are those of whole
    architectures.

    What differs from the authors' code: there each copy is of a channel drawn at random, and weights are not divided,
    so that what a candidate gives changes by what norms do not take back.
    """
    seen: set[int] = set()
    for mixed in list(_outermost(supernet.network)):
        around: PartialChannels | None = getattr(mixed, "around", None)
        if around is None or around.parts == parts:
            continue
        deep = {id(layer) for layer in around.deep}
        for layer in mixed.candidates.modules():
            if id(layer) not in seen:
                seen.add(id(layer))
                _widen(layer, around.parts, parts, id(layer) in deep, generator, optimizer)
        around.parts, around.later = parts, tuple(other for other in around.later if other < parts)
        if parts == 1:
            for hooks in (mixed._forward_pre_hooks, mixed._forward_hooks):
                for key in [key for key, hook in hooks.items() if getattr(hook, "__self__", None) is around]:
                    del hooks[key]
            del mixed.around
    supernet.narrowed = supernet.narrowed and parts > 1


def shuffled(x: Tensor, groups: int) -> Tensor:
    """The channels (N, C, …) in another order: the first of every group, then the second of every group, …"""
    n, channels = x.shape[:2]
    if _layout(x) == torch.channels_last:
        pixels = x.permute(0, 2, 3, 1)
        pixels = pixels.reshape(*pixels.shape[:3], groups, channels // groups).transpose(3, 4)
        return pixels.reshape(n, *x.shape[2:], channels).permute(0, 3, 1, 2)
    return x.reshape(n, groups, channels // groups, *x.shape[2:]).transpose(1, 2).reshape(x.shape)


def _layout(x: Tensor) -> torch.memory_format:
    last = x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return torch.channels_last if last else torch.contiguous_format


def _outermost(module: nn.Module) -> Iterator[Mixed]:
    """The mixtures that stand in no other."""
    if isinstance(module, Mixed):
        yield module
        return
    for child in module.children():
        yield from _outermost(child)


def _tried(supernet: Supernet, name: str, what: str, candidate: nn.Module, parts: int) -> None:
    """Refuses a candidate that cannot be narrower, or that changes the number of channels; a copy of it is tried.

    Not without memory, as torch does that in Python: it takes a hundred times as long.
    """
    twin = copy.deepcopy(candidate).eval()
    entry = next((layer for layer in twin.modules() if isinstance(layer, tuple(_SIDES))), None)
    width = getattr(entry, "in_channels", getattr(entry, "in_features", 0))
    _narrow(twin, parts, name, set())
    if entry is None:
        return
    before = supernet.board.ways
    supernet.board.ways = {decision: Way((0,)) for decision in supernet.space.declared}
    for module in twin.modules():
        if isinstance(module, Mixed):
            module.board = supernet.board
    try:
        with torch.no_grad():
            weight: Any = entry.weight
            sides = next(sides for kind, sides in _SIDES.items() if isinstance(entry, kind))
            outcome = twin(weight.new_zeros(2, width // parts, *sides))
    except Exception as error:
        raise _refusal(name, f"{what} does not run on a part of its channels ({error})") from error
    finally:
        supernet.board.ways = before
    given = outcome.shape[1] if isinstance(outcome, Tensor) and outcome.dim() > 1 else None
    if given != width // parts:
        raise _refusal(name, f"{what} gives another number of channels than the {width} it takes")


def _narrow(candidate: nn.Module, parts: int, name: str, seen: set[int]) -> list[nn.Module]:
    """Cuts all layers; the answer is those that were convolutions of each channel by itself."""
    deep: list[nn.Module] = []

    def part(size: int, layer: nn.Module) -> int:
        if size % parts:
            raise _refusal(name, f"the {size} channels of a {type(layer).__name__} cannot be divided by {parts}")
        return size // parts

    for layer in candidate.modules():
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        if isinstance(layer, CONVOLUTIONS):
            layer.in_channels, layer.out_channels = part(layer.in_channels, layer), part(layer.out_channels, layer)
            if layer.groups == layer.in_channels * parts:
                layer.groups = layer.in_channels
                deep.append(layer)
            if layer.in_channels % layer.groups or layer.out_channels % layer.groups:
                raise _refusal(name, f"a convolution of {layer.groups} groups would have {layer.in_channels} channels")
            _cut(layer, weight=(layer.out_channels, layer.in_channels // layer.groups), bias=(layer.out_channels,))
        elif isinstance(layer, nn.Linear):
            layer.in_features, layer.out_features = part(layer.in_features, layer), part(layer.out_features, layer)
            _cut(layer, weight=(layer.out_features, layer.in_features), bias=(layer.out_features,))
        elif isinstance(layer, nn.modules.batchnorm._NormBase):
            layer.num_features = part(layer.num_features, layer)
            _cut(layer, **dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (layer.num_features,)))
        elif any(tensor is not None and tensor.numel() > 1 for tensor in layer._parameters.values()):
            raise _refusal(name, f"how to divide the channels of a {type(layer).__name__} is not known")
    return deep


def _cut(layer: nn.Module, **shapes: tuple[int, ...]) -> None:
    """Leaves the first entries of tensors; weights grow as the initial ones of fewer inputs are larger."""
    for name, shape in shapes.items():
        for tensor in (layer._parameters.get(name), layer._buffers.get(name)):
            if tensor is None:
                continue
            with torch.no_grad():
                cut = tensor[tuple(slice(size) for size in shape)].clone()
                if tensor.dim() > 1:
                    cut *= math.sqrt(tensor.shape[1] / cut.shape[1])
            if isinstance(tensor, nn.Parameter):
                layer._parameters[name] = nn.Parameter(cut, tensor.requires_grad)
            else:
                layer._buffers[name] = cut


def _widen(
    layer: nn.Module,
    before: int,
    parts: int,
    deep: bool,
    generator: torch.Generator,
    optimizer: torch.optim.Optimizer | None,
) -> None:
    def wider(size: int) -> int:
        return size * before // parts

    if isinstance(layer, CONVOLUTIONS):
        layer.in_channels, layer.out_channels = wider(layer.in_channels), wider(layer.out_channels)
        layer.groups = layer.in_channels if deep else layer.groups
        outputs, inputs = layer.out_channels, layer.in_channels // layer.groups
    elif isinstance(layer, nn.Linear):
        layer.in_features, layer.out_features = wider(layer.in_features), wider(layer.out_features)
        outputs, inputs = layer.out_features, layer.in_features
    elif isinstance(layer, nn.modules.batchnorm._NormBase):
        layer.num_features = outputs = wider(layer.num_features)
        inputs = 0
    else:
        return
    for tensor in (*layer._parameters.values(), *layer._buffers.values()):
        if tensor is None or tensor.dim() == 0:
            continue
        rows = _copied(tensor.shape[0], outputs, tensor.device)
        columns = _copied(tensor.shape[1], inputs, tensor.device) if tensor.dim() > 1 else None
        if optimizer is not None and isinstance(tensor, nn.Parameter):
            for key, kept in optimizer.state.get(tensor, {}).items():
                if isinstance(kept, Tensor) and kept.shape == tensor.shape:
                    optimizer.state[tensor][key] = kept[rows] if columns is None else kept[rows][:, columns]
        with torch.no_grad():
            wide = tensor[rows]
            if columns is not None:
                wide = wide[:, columns] * _shares(outputs, columns, tensor, generator)
        # The same object, which optimisers and lists of weights hold.
        tensor.data, tensor.grad = wide, None


def _copied(before: int, after: int, device: torch.device) -> Tensor:
    """For each of ``after`` channels of which of those before it is a copy.

    Copies are neighbours, and all parts of the channels grow alike: what is joined of several layers stays joined.
    """
    return torch.arange(after, device=device) * before // after


def _shares(outputs: int, columns: Tensor, like: Tensor, generator: torch.Generator) -> Tensor:
    """What each copy of an input takes over of its weight, for each output by itself: their sum is 1, and none is 0."""
    drawn = (0.5 + torch.rand(outputs, len(columns), generator=generator)).to(like)
    sums = drawn.new_zeros(outputs, like.shape[1]).index_add(1, columns, drawn)
    return (drawn / sums[:, columns]).reshape(outputs, len(columns), *[1] * (like.dim() - 2))


def _refusal(name: str, why: str) -> SpaceError:
    return SpaceError(f"decision '{name}' cannot be mixed by a part of its channels: {why}", hint=_HINT)
