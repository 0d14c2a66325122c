"""Mixtures of sizes: the network of the largest values, each of its weights an expectation over what smaller ones use.

Where sizes are open, outputs of different sizes cannot be added; weights can. A shared tensor W is replaced by
E[W] = Σ_values p(values) · (W where the network of these values has it, else 0), which is M ∘ W with the mask M, the
expectation of the indicator of the part that is used (as FBNetV2 masks channels, Wan et al. 2020, and single-path NAS
kernels, Stamoulis et al. 2019). The mask is the outer product of one for each group of dimensions that the same
decisions change. Where one option has all the weight, it is the smaller network padded with zeros, and gives exactly
what that gives: norms across channels count only those that are there. What is not so is refused by the name of the
decision, when the mixture is made or, found by trying, when it runs for the first time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, final
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils import _pytree

from netwright.architecture import Answer, Architecture
from netwright.errors import SpaceError
from netwright.space import SearchSpace
from netwright.space.conditions import asked
from netwright.space.decisions import show
from netwright.space.traceless import evaluating, generators_kept
from netwright.supernet.joining import summed
from netwright.supernet.sizes import ONE_PATH, SIZE, Sizes, Table, Values, Variants, norm_shape
from netwright.supernet.slicing import NORMS, sliced
from netwright.supernet.switches import Way
from netwright.supernet.tensors import NORMS as BATCH_NORMS
from netwright.supernet.tensors import SharedTensors

if TYPE_CHECKING:
    from netwright.supernet.supernet import Supernet

KEPT = 16
"""So many networks of exact values are kept, for mixtures of candidates alone."""
ROWS = 4
"""With so many examples of the first batch it is tried whether the padded network is the small one."""
TRIED = 3
"""And for so many combinations of values that are drawn, beside two values of each decision alone."""
NOISE = 0.1
"""Zero biases would hide what they do, so that it is tried with weights that are moved by so much."""


_SIZES: WeakKeyDictionary[SearchSpace, Sizes] = WeakKeyDictionary()


def sizes_of(supernet: Supernet) -> Sizes:
    """What follows from the values of a supernet's space; looked at once for each space."""
    assert isinstance(supernet.network, SharedTensors)
    if supernet.space not in _SIZES:
        _SIZES[supernet.space] = Sizes(supernet.values, supernet.network, supernet._made)
    return _SIZES[supernet.space]


def unmixable(supernet: Supernet) -> dict[str, str]:
    """The decisions of a supernet that weights cannot be superposed for, each with the reason."""
    return dict(sizes_of(supernet).problems) if isinstance(supernet.network, SharedTensors) else {}


@final
class Superposition:
    """The mixtures of a supernet with open sizes; SpaceError, by name, for decisions that cannot be superposed.

    A :class:`~netwright.supernet.switches.Way` of such a decision counts as it does elsewhere: the weights of the
    options that run, those that are detached without a gradient for W, and ``rest`` for what the last of them uses.
    """

    def __init__(self, supernet: Supernet) -> None:
        assert isinstance(supernet.network, SharedTensors)
        self._supernet, self._shared = supernet, supernet.network
        self._sizes = sizes = sizes_of(supernet)
        sizes.raise_problems()
        alike: dict[Any, Table] = {}
        self._tables = {
            slot: tuple(alike.setdefault(table.key, table) for table in tables) for slot, tables in sizes.tables.items()
        }
        self._exact: OrderedDict[tuple[Answer, ...], nn.Module] = OrderedDict()
        self._instead: dict[str, Tensor] = {}
        self._counted: dict[str, Tensor] = {}
        self._live: dict[str, Tensor] | None = None
        self._masks: dict[tuple[Any, ...], Tensor] = {}
        self._kept: list[tuple[Tensor, Tensor, Tensor]] = []
        self._trying = False
        self.network = self._superposed()
        """The network of the largest values; it runs as the supernet's board says, with the weights of the supernet."""

    def mixed(self, ways: Mapping[str, Way]) -> nn.Module:
        """The network with these ways: that of one architecture where every one is sure."""
        supernet = self._supernet
        supernet.board.ways = ways
        if all(way.single for way in ways.values()):
            return supernet._bound(self._architecture())
        sure = all(supernet.board.way(name).single for name in self._sizes.decisions)
        network = self._at(self._values()) if sure else self.network
        return network.train(supernet.training)

    def train(self, mode: bool) -> None:
        """All networks learn, or do not."""
        for network in [self.network, *self._exact.values()]:
            network.train(mode)

    # Below: helpers in the order of use

    def _values(self) -> dict[str, Answer]:
        declared, way = self._supernet.space.declared, self._supernet.board.way
        sure = {name: declared[name].value(way(name).positions[0]) for name in self._sizes.decisions}
        return {**self._sizes.most, **sure}

    def _architecture(self) -> Architecture:
        space, way = self._supernet.space, self._supernet.board.way
        answers: dict[str, Answer] = {}
        for decision in space.decisions:
            if asked(decision, answers):
                fixed = decision.of_training or decision.cardinality == 1
                place = None if fixed else way(decision.name).positions[0]
                answers[decision.name] = decision.first if place is None else space.declared[decision.name].value(place)
        return Architecture(answers)

    def _at(self, values: Values) -> nn.Module:
        """The network of exact values, with all candidates; its weights are cut out of the shared ones at each pass."""
        key = tuple(values.items())
        if key in self._exact:
            self._exact.move_to_end(key)
            return self._exact[key]
        network = self._made(values)
        found = []
        for place, layer in network.named_modules():
            for own, tensors in _tensors(layer):
                tensor = tensors[own]
                if tensor is not None:
                    found.append((tensors, own, tuple(tensor.shape), layer, f"{place}.{own}" if place else own))

        cells = _recurrent(network)

        def bind(*_: Any) -> None:
            for tensors, own, shape, layer, name in found:
                tensors[own] = sliced(self._tensor(name), shape, self._shared.layers[name], layer, name)
            _flatten(cells)

        bind()
        network.register_forward_pre_hook(bind)
        self._supernet._enter(network)
        self._exact[key] = network
        if len(self._exact) > KEPT:
            self._exact.popitem(last=False)
        return network

    def _made(self, values: Values) -> nn.Module:
        """A network without weights; what it has of buffers of its own is filled by the seed of the supernet."""
        own, supernet = self._shared.others, self._supernet
        with generators_kept(seed=supernet.seed):
            network = supernet._made(values, own)
        if own:
            network.to(next(self._shared.parameters(), torch.empty(0)).device)
        return network

    def _tensor(self, name: str) -> Tensor:
        tensor = self._instead[name] if name in self._instead else self._shared.of(name)
        assert tensor is not None
        return tensor

    def _superposed(self) -> nn.Module:
        network = self._made(self._sizes.most)
        layers = dict(network.named_modules())
        standing: list[tuple[str, nn.Module]] = []
        for variants in self._sizes.variants:
            above, _, child = variants.place.rpartition(".")
            donors = [dict(self._made(values).named_modules())[variants.place] for values in variants.donors]
            layers[above]._modules[child] = _Standing(variants, donors, self._share)
            for donor in donors:
                standing += [
                    (f"{variants.place}.{name}" if name else variants.place, layer)
                    for name, layer in donor.named_modules()
                ]
        inside = {id(layer) for layer in network.modules()} - {id(layer) for _, layer in standing}
        plain = [(place, layer) for place, layer in layers.items() if id(layer) in inside]
        self._slots = [slot for place, layer in [*plain, *standing] for slot in self._of_layer(place, layer)]
        self._statistics = [
            (layer, tables)
            for place, layer in [*plain, *standing]
            if isinstance(layer, BATCH_NORMS) and layer.track_running_stats and (tables := self._norm_tables(place))
        ]
        for place, layer in [*plain, *standing]:
            tables = self._norm_tables(place) if isinstance(layer, NORMS) else ()
            if tables:
                self._mask_norm(place, layer, tables)
        self._cells = _recurrent(network)
        network.register_forward_pre_hook(self._bind, with_kwargs=True)
        network.register_forward_hook(self._end, always_call=True)
        self._supernet._enter(network)
        return network

    def _of_layer(self, place: str, layer: nn.Module) -> Iterator[_Slot]:
        for own, tensors in _tensors(layer):
            name = f"{place}.{own}" if place else own
            shared = self._shared.of(name)
            # A bias that the largest values leave out is there with a mask, too.
            if shared is not None and type(self._shared.layers[name]) is type(layer):
                tables = self._tables.get((place, own), ()) if tensors is layer._parameters else ()
                yield _Slot(tensors, own, name, shared.dim(), tables)

    def _norm_tables(self, place: str) -> tuple[Table, ...]:
        return self._tables.get((place, "weight")) or self._tables.get((place, SIZE)) or ()

    def _mask_norm(self, place: str, layer: nn.Module, tables: tuple[Table, ...]) -> None:
        """Has a norm count the channels that are there; one without a weight must not scale the others up again."""

        def mask() -> Tensor:
            return self._mask(tables, len(norm_shape(layer)), self._counted)

        across = isinstance(layer, nn.LayerNorm | nn.RMSNorm) or (
            isinstance(layer, nn.GroupNorm) and layer.num_groups == 1
        )
        if across:
            layer.forward = lambda x: _normalised(layer, x, mask())
        elif (place, SIZE) in self._tables:
            layer.register_forward_hook(lambda _, inputs, y: y * mask().reshape(_along_channels(inputs[0])))

    # In every pass

    def _bind(self, _: nn.Module, inputs: tuple[Any, ...], options: dict[str, Any]) -> None:
        if not self._trying and not self._sizes.tried:
            self._trying = True
            try:
                self._check(inputs, options)
                self._sizes.tried = True
            finally:
                self._trying = False
        self._count()
        for slot in self._slots:
            slot.tensors[slot.own] = self._expected(slot)
        _flatten(self._cells)
        self._kept = []
        found: dict[int, Tensor | None] = {}
        for layer, tables in self._statistics:
            if layer.training:
                mask = self._mask(tables, 1, self._counted).detach()
                if mask.data_ptr() not in found:
                    found[mask.data_ptr()] = mask == 0 if bool((mask == 0).any()) else None
                gone = found[mask.data_ptr()]
                for statistic in (layer.running_mean, layer.running_var) if gone is not None else ():
                    if statistic is not None and gone is not None:
                        self._kept.append((statistic, statistic.clone(), gone.expand_as(statistic)))

    def _end(self, *_: Any) -> None:
        """Statistics of channels that were not there stay as they were: what was seen of them is nothing."""
        for statistic, before, gone in self._kept:
            # Past the counter of changes: a norm that is training saves them for its gradient, and never looks.
            statistic.data[gone] = before[gone]
        self._kept = []

    def _count(self) -> None:
        """What each option counts for, and in ``_live`` without those that are detached."""
        like = next(iter(self._instead.values()), None)
        like = next(self._shared.parameters()) if like is None else like
        self._masks.clear()
        self._counted, live = {}, {}
        detached = False
        for name, decision in self._sizes.decisions.items():
            way = self._supernet.board.way(name)
            declared = self._supernet.space.declared[name].options or ()
            places = [(decision.options or ()).index(declared[position]) for position in way.positions]
            weights = like.new_ones(len(places)) if way.weights is None else way.weights.to(like)
            if way.rest is not None:
                weights = torch.cat([weights[:-1], weights[-1:] + way.rest.to(like)])
            found = like.new_zeros(len(decision.options or ()))
            found = found.index_add(0, torch.tensor(places, device=like.device), weights)
            self._counted[name] = live[name] = found
            if way.detached:
                detached = True
                alive = [float(position not in way.detached) for position in way.positions]
                keep = like.new_zeros(len(found)).index_add(
                    0, torch.tensor(places, device=like.device), like.new_tensor(alive)
                )
                live[name] = found * keep
        self._live = live if detached else None

    def _expected(self, slot: _Slot) -> Tensor:
        whole = self._tensor(slot.name)
        if not slot.tables:
            return whole
        mask = self._mask(slot.tables, slot.rank, self._counted)
        if self._live is None:
            return whole * mask
        live = self._mask(slot.tables, slot.rank, self._live)
        return whole * live + whole.detach() * (mask - live)

    def _mask(self, tables: Sequence[Table], rank: int, counted: Mapping[str, Tensor]) -> Tensor:
        """The expectation of the indicator, of a shape that broadcasts to that of the tensor."""
        key = (counted is self._counted, rank, *map(id, tables))
        if key not in self._masks:
            parts = []
            for table in tables:
                mine = (counted is self._counted, id(table))
                if mine not in self._masks:
                    self._masks[mine] = table.expected(counted)
                sizes = [1] * rank
                for dim, size in zip(table.dims, self._masks[mine].shape, strict=True):
                    sizes[dim] = size
                parts.append(self._masks[mine].reshape(sizes))
            self._masks[key] = _product(parts)
        return self._masks[key]

    def _share(self, table: Table) -> Tensor:
        """What a layer counts for that stands at its place with some values alone."""
        return self._mask((table,), 0, self._counted)

    # Once, with the first inputs

    def _check(self, inputs: tuple[Any, ...], options: dict[str, Any]) -> None:
        """SpaceError where the padded network is not the smaller one, in the name of the decision.

        Tried in double precision where the network takes that, else in its own.
        """
        supernet, before = self._supernet, self._supernet.board.ways
        types = [None] if self._shared.others else [torch.float64, None]
        example = next(self._shared.parameters(), torch.empty(0))
        try:
            with (
                evaluating(self.network),
                torch.no_grad(),
                generators_kept(example.device, seed=0),
                torch.autocast(example.device.type, enabled=False),
            ):
                for kind in types:
                    self._instead = self._moved(kind)
                    precise = (kind or example.dtype) == torch.float64
                    given = _pytree.tree_map(partial(_few, kind=kind), (inputs, options))
                    try:
                        self._try(*given, tolerance=1e-7 if precise else 1e-3)
                        break
                    except SpaceError:
                        raise
                    except Exception:
                        # The network may have numbers of its own in single precision.
                        if kind is None:
                            raise
        finally:
            self._instead = {}
            self._exact.clear()
            supernet.board.ways = before

    def _try(self, inputs: tuple[Any, ...], options: dict[str, Any], *, tolerance: float) -> None:
        space, board = self._supernet.space, self._supernet.board
        even: dict[str, Way] = {}
        for decision in space.decisions:
            declared = space.declared[decision.name].options
            if declared is not None and decision.options is not None and decision.name not in self._sizes.decisions:
                places = tuple(declared.index(option) for option in decision.options)
                weights = torch.full((len(places),), 1 / len(places))
                even[decision.name] = Way(places) if len(places) == 1 else Way(places, weights)
        for name, values in self._tried():
            sure = {}
            for other in self._sizes.decisions:
                position = space.declared[other].position(values[other])
                assert position is not None
                sure[other] = Way((position,), torch.ones(1))
            board.ways = {**even, **sure}
            try:
                expected = self._at(values).eval()(*inputs, **options)
            except SpaceError as error:
                if error.__cause__ is None or values == self._sizes.most:
                    raise
                continue  # The rules of the space have no network of these values.
            reason = ""
            try:
                distance = _distance(expected, self.network(*inputs, **options))
            except SpaceError:
                raise
            except RuntimeError as error:
                distance, reason = float("inf"), f": {error}"
            if distance > tolerance:
                text = ", ".join(f"{other}={show(values[other])}" for other in self._sizes.decisions)
                who = f"decision '{name}'" if name else "decisions " + ", ".join(map(repr, self._sizes.decisions))
                what = "does not fit" if distance == float("inf") else f"gives something else (by {distance:.1%})"
                raise SpaceError(
                    f"{who} cannot be mixed in weights: with {text} the largest network, zero where the smaller one "
                    f"has nothing, {what}{reason}. A softmax, concatenation, heads or the like see the channels that "
                    "are not there",
                    hint=f"Fix it with space.fix({name or '…'}=…), write it as one_of, or {ONE_PATH}.",
                )

    def _tried(self) -> Iterator[tuple[str, Values]]:
        """Values to be tried, and the decision that was changed."""
        most = self._sizes.most
        for name, decision in self._sizes.decisions.items():
            others = [option for option in decision.options or () if option != most[name]]
            for option in dict.fromkeys([self._sizes.least[name], others[len(others) // 2]]):
                if option != most[name]:
                    yield name, {**most, name: option}
        rng = np.random.default_rng(1)
        for _ in range(TRIED if len(self._sizes.decisions) > 1 else 0):
            drawn = {name: decision.draw(float(rng.random())) for name, decision in self._sizes.decisions.items()}
            yield "", {**most, **drawn}

    def _moved(self, kind: torch.dtype | None) -> dict[str, Tensor]:
        """The shared tensors, moved at random, in another precision."""
        draw = torch.Generator().manual_seed(0)
        found = {}
        for key, tensor in self._shared.named_parameters():
            noise = NOISE * torch.randn(tensor.shape, generator=draw).to(tensor)
            found[key.replace("/", ".")] = (tensor + noise).to(kind or tensor.dtype)
        for key, buffer in self._shared.named_buffers():
            found[key.replace("/", ".")] = buffer.to(kind or buffer.dtype) if buffer.is_floating_point() else buffer
        return found


@final
@dataclass(frozen=True, eq=False)
class _Slot:
    """A tensor of the network, to be set in each pass: of the supernet's ``name``, with the tables of its mask."""

    tensors: MutableMapping[str, Any]
    own: str
    name: str
    rank: int
    tables: tuple[Table, ...]


@final
class _Standing(nn.Module):
    """The layers of which one stands here, by the values of some decisions; each counts for how probable that is."""

    def __init__(self, variants: Variants, layers: Sequence[nn.Module], share: Callable[[Table], Tensor]) -> None:
        super().__init__()
        self.variants, self.share = variants, share
        self.layers = nn.ModuleList(layers)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        return summed([layer(*inputs, **options) for layer in self.layers], list(map(self.share, self.variants.tables)))


def _tensors(layer: nn.Module) -> Iterator[tuple[str, MutableMapping[str, Any]]]:
    """The names of a layer's own tensors that supernets share, and what holds them."""
    for own in layer._parameters:
        yield own, layer._parameters
    for own in layer._buffers if isinstance(layer, BATCH_NORMS) else ():
        yield own, layer._buffers


def _recurrent(network: nn.Module) -> list[nn.RNNBase]:
    return [layer for layer in network.modules() if isinstance(layer, nn.RNNBase)]


def _flatten(cells: Sequence[nn.RNNBase]) -> None:
    """Recurrent layers keep a list of their weights."""
    for cell in cells:
        cell._flat_weights = [getattr(cell, name) for name in cell._flat_weights_names]


def _normalised(layer: Any, x: Tensor, mask: Tensor) -> Tensor:
    """What a norm over all channels gives where each counts for ``mask``: at zeros and ones that of those there are."""
    weight, bias = layer.weight, getattr(layer, "bias", None)
    if isinstance(layer, nn.GroupNorm):
        shape = _along_channels(x)
        mask, dims = mask.reshape(shape), tuple(range(1, x.dim()))
        weight, bias = (None if part is None else part.reshape(shape) for part in (weight, bias))
    else:
        dims = tuple(range(-len(layer.normalized_shape), 0))
    mask = mask.to(x).expand_as(x)
    total = mask.sum(dims, keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)
    eps = torch.finfo(x.dtype).eps if layer.eps is None else layer.eps
    if not isinstance(layer, nn.RMSNorm):
        x = x - (x * mask).sum(dims, keepdim=True) / total
    x = x * ((x * x * mask).sum(dims, keepdim=True) / total + eps).rsqrt()
    x = x * mask if weight is None else x * weight
    return x if bias is None else x + bias


def _along_channels(x: Tensor) -> tuple[int, ...]:
    """A shape that goes along the second dimension."""
    return (1, -1, *[1] * (x.dim() - 2))


def _product(parts: Sequence[Tensor]) -> Tensor:
    found = parts[0]
    for part in parts[1:]:
        found = found * part
    return found


def _few(x: Any, kind: torch.dtype | None) -> Any:
    """A few examples of a batch, in another precision where they are numbers."""
    if not isinstance(x, Tensor):
        return x
    x = x[:ROWS] if x.dim() else x
    return x.to(kind) if kind is not None and x.is_floating_point() else x


def _distance(expected: Any, found: Any) -> float:
    """The largest difference beside the largest number of what is expected; infinity where there are other sizes."""
    pairs = [_pytree.tree_leaves(outcome) for outcome in (expected, found)]
    if len(pairs[0]) != len(pairs[1]):
        return float("inf")
    most = 0.0
    for a, b in zip(*pairs, strict=True):
        if isinstance(a, Tensor) and isinstance(b, Tensor):
            if a.shape != b.shape:
                return float("inf")
            if a.numel():
                a, b = a.double().nan_to_num(), b.double().nan_to_num()
                most = max(most, float((a - b).abs().max() / a.abs().max().clamp_min(1e-12)))
    return most
