"""Which part of each shared tensor a network uses, as a function of the values that it was made with.

Found by making the networks of many values on the meta device and looking at them: which decisions change a dimension
of a tensor, which decide whether it is there, and which change a layer in a way that no tensor shows.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from netwright.architecture import Answer
from netwright.errors import SpaceError
from netwright.space import Decision
from netwright.space.decisions import shorten, show
from netwright.supernet.share import largest
from netwright.supernet.slicing import CONVOLUTIONS, NORMS, part_of
from netwright.supernet.tensors import SharedTensors, smallest

Values = Mapping[str, Answer]
Make = Callable[[Values, bool], nn.Module]
Slot = tuple[str, str]
"""A tensor: the place of its layer, and its name there; of a norm without tensors :data:`SIZE`."""
Signature = tuple[str, str, tuple[str, ...]]
"""What tells two layers at one place apart: the name of their class, and those of the parts that they have."""

SIZE = "(size)"
MOST_OPTIONS = 256
"""A decision with more values is refused: each of them is looked at."""
MOST_TOGETHER = 4096
"""So many combinations of values at most can decide together on one tensor."""
FEW, DRAWS = 4, 8
"""From the smallest values so many of each decision are tried, and in the end so many combinations that are drawn."""
ONE_PATH = "use a method that runs one path at a time (spos, enas, random-weights)"

_OF_SIZE = frozenset(
    {
        "_flat_weights_names", "_is_full_backward_hook", "_qkv_same_embed_dim", "_reversed_padding_repeated_twice",
        "call_super_init", "embed_dim", "embedding_dim", "hidden_size", "in_channels", "in_features", "input_size",
        "kdim", "normalized_shape", "num_channels", "num_embeddings", "num_features", "num_parameters", "out_channels",
        "out_features", "proj_size", "training", "vdim",
    }
)  # fmt: skip
"""Attributes of torch's layers that tensors show, or that say nothing."""


@final
@dataclass(frozen=True, eq=False)
class Table:
    """What part of a tensor there is for each joint answer of some decisions.

    ``names`` are those of the decisions, ``counts`` how many options each has. ``rows`` says for each joint answer, the
    last decision's changing fastest, which row of ``regions`` it has; -1 where the tensor is not there. For each of
    ``dims`` (dimensions of the tensor) ``regions`` holds a matrix of zeros and ones, rows × the size of the dimension;
    ``sizes`` has the numbers of ones.
    """

    names: tuple[str, ...]
    counts: tuple[int, ...]
    dims: tuple[int, ...]
    rows: Tensor
    regions: tuple[Tensor, ...]
    sizes: tuple[tuple[int, ...], ...]

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """Equal for two tables with the same expectations along the same dimensions."""
        regions = tuple((tuple(region.shape), region.numpy().tobytes()) for region in self.regions)
        return self.names, self.dims, self.rows.numpy().tobytes(), regions

    def expected(self, counted: Mapping[str, Tensor]) -> Tensor:
        """The sum over the joint answers of what each counts for times the indicator of its region.

        ``counted`` holds a vector for each decision; the outcome has a dimension for each of ``dims``.
        """
        joint = counted[self.names[0]]
        for name in self.names[1:]:
            joint = (joint[:, None] * counted[name]).flatten()
        rows, regions = self._on(joint)
        if self._each:
            shares = joint
        else:
            # One row more, for the answers without the tensor.
            shares = joint.new_zeros(len(self.sizes) + 1).index_add(0, rows, joint)[:-1]
        if not self.dims:
            return (shares if not self._each else shares * regions[0]).sum()
        if len(regions) == 1:
            return shares @ regions[0]
        if len(regions) == 2:
            return (shares[:, None] * regions[0]).T @ regions[1]
        letters = "abcdefgh"[: len(regions)]
        found: Tensor = torch.einsum(f"z,{','.join('z' + letter for letter in letters)}->{letters}", shares, *regions)
        return found

    @cached_property
    def _each(self) -> bool:
        """Whether there are so many regions that each answer may as well have its own."""
        return len(self.rows) <= 2 * len(self.sizes)

    @cached_property
    def _converted(self) -> dict[tuple[torch.device, torch.dtype], tuple[Tensor, list[Tensor]]]:
        return {}

    def _on(self, like: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The rows and regions where and as ``like`` is; converted once."""
        key = like.device, like.dtype
        if key not in self._converted:
            there = (self.rows >= 0).to(like)
            regions = [region.to(like) for region in self.regions]
            if self._each:
                # What is not there has a region of zeros.
                regions = [region[self.rows.clamp_min(0)] * there[:, None] for region in regions] or [there]
            rows = torch.where(self.rows < 0, len(self.sizes), self.rows).to(like.device)
            self._converted[key] = rows, regions
        return self._converted[key]

    def row(self, values: Values, decisions: Mapping[str, Decision]) -> int:
        """The row of given values; -1 where the tensor is not there."""
        place = 0
        for name, count in zip(self.names, self.counts, strict=True):
            position = (decisions[name].options or ()).index(values[name])
            place = place * count + position
        return int(self.rows[place])


@final
@dataclass(frozen=True, eq=False)
class Variants:
    """The layers that stand at one place: which of them does follows from the values of some decisions.

    ``donors`` are values with which a network has the layer of each signature, the largest of its kind.
    """

    names: tuple[str, ...]
    place: str
    tables: tuple[Table, ...]
    donors: tuple[Values, ...]


@final
class Sizes:
    """The tables of every tensor of a space with open values, the places with variants, and what speaks against it.

    ``tables`` holds for each tensor those that its mask is the product of; none where it is always whole. ``problems``
    says for decisions why weights cannot be superposed for them; with any, there are no tables.
    """

    def __init__(self, decisions: Sequence[Decision], shared: SharedTensors, make: Make) -> None:
        self.problems: dict[str, str] = {}
        self.tables: dict[Slot, tuple[Table, ...]] = {}
        self.variants: list[Variants] = []
        self.most: dict[str, Answer] = {decision.name: largest(decision) for decision in decisions}
        self.least: dict[str, Answer] = {decision.name: smallest(decision) for decision in decisions}
        self.decisions: dict[str, Decision] = {}
        self.tried = False
        """Whether padded networks were run, and found to be the small ones."""
        self._shared: SharedTensors | None = shared
        self._make: Make | None = make
        self._looks: dict[tuple[Any, ...], dict[str, nn.Module] | None] = {}
        for decision in decisions:
            if decision.cardinality == 1:
                continue
            if decision.options is None:
                self.problems[decision.name] = "has a range without steps, and mixtures need finitely many values"
            elif len(decision.options) > MOST_OPTIONS:
                self.problems[decision.name] = (
                    f"has {len(decision.options):,} values, and mixtures take at most {MOST_OPTIONS}"
                )
            else:
                self.decisions[decision.name] = decision
        self._find()
        self._looks.clear()
        self._shared = self._make = None

    def raise_problems(self) -> None:
        """SpaceError that names all decisions that cannot be superposed; nothing where all can."""
        if not self.problems:
            return
        reasons: dict[str, list[str]] = {}
        for name, reason in self.problems.items():
            reasons.setdefault(reason, []).append(f"'{name}'")
        answers = shorten([f"{name!r}: {self.most[name]!r}" for name in self.problems], 4)
        raise SpaceError(
            "; ".join(f"decision {shorten(names, 4)} {reason}" for reason, names in reasons.items()),
            hint=f"Fix it with space.fix({{{answers}}}), write it as one_of, or {ONE_PATH}.",
        )

    # Below: helpers in the order of use

    def _find(self) -> None:
        dims: dict[Slot, list[set[str]]] = {}
        there: dict[Slot, set[str]] = {}
        kinds: dict[str, set[str]] = {}
        for name, looks in self._lines():
            _note_line(name, looks, dims, there, kinds)
        tops = sorted(place for place in kinds if not any(_below(place, other) for other in kinds))
        for place in tops:
            self._add_variants(place, kinds[place])
        changing = set(itertools.chain(*there.values(), *itertools.chain(*dims.values()), *kinds.values()))
        for name in self.decisions:
            if name not in changing:
                self.problems.setdefault(name, "changes no weight, so that nothing says how good its values are")
        self._check_layers(tops)
        for slot, sets in dims.items():
            if not self.problems:
                self.tables[slot] = tuple(self._tables(slot, sets, there.get(slot, set())))
        if not self.problems:
            self._check_draws()

    def _lines(self) -> Iterator[tuple[str, list[dict[str, nn.Module]]]]:
        """For each decision the networks of its values; with the others at their largest, and at their smallest."""
        for base in (self.most, self.least):
            for name, decision in self.decisions.items():
                options = list(decision.options or ())
                if base is self.least and len(self.decisions) > 1:
                    options = [*options[:: -(-len(options) // FEW)], options[-1]]
                elif base is self.least:
                    continue
                looks = [self._look({**base, name: option}) for option in dict.fromkeys(options)]
                yield name, [look for look in looks if look is not None]

    def _look(self, values: Values) -> dict[str, nn.Module] | None:
        """The layers of a network by their places; None where the rules of the space have no such network."""
        key = tuple(values.items())
        if key not in self._looks:
            assert self._make is not None
            try:
                self._looks[key] = dict(self._make(values, False).named_modules())
            except SpaceError:
                if values == self.most:
                    raise
                self._looks[key] = None
        return self._looks[key]

    def _add_variants(self, place: str, names: set[str]) -> None:
        joint = self._joint(names)
        if joint is None:
            return
        ordered, combinations = joint
        signatures: dict[Signature | None, int] = {}
        donors: list[tuple[int, Values]] = []
        rows = []
        for values in combinations:
            look = self._look(values)
            layer = None if look is None else look.get(place)
            kind = None if layer is None else _signature(layer)
            if layer is None:
                rows.append(-1)
                continue
            row = signatures.setdefault(kind, len(signatures))
            rows.append(row)
            size = sum(parameter.numel() for parameter in layer.parameters())
            if row == len(donors):
                donors.append((size, values))
            elif size > donors[row][0]:
                donors[row] = (size, values)
            if not place or isinstance(layer, nn.ModuleList | nn.ModuleDict):
                reason = f"changes which layers {place or 'the network'} has, and they are called one by one"
                self.problems.update(dict.fromkeys(ordered, reason))
                return
        counts = tuple(len(self.decisions[name].options or ()) for name in ordered)
        tables = tuple(
            Table(ordered, counts, (), torch.tensor([0 if row == kind else -1 for row in rows]), (), ((),))
            for kind in range(len(donors))
        )
        self.variants.append(Variants(ordered, place, tables, tuple(values for _, values in donors)))

    def _joint(self, names: Iterable[str]) -> tuple[tuple[str, ...], list[Values]] | None:
        """The combinations of the values of some decisions, the others at their largest; None where they are many."""
        ordered = tuple(name for name in self.decisions if name in set(names))
        options = [self.decisions[name].options or () for name in ordered]
        count = math.prod(map(len, options))
        if count > MOST_TOGETHER:
            reason = (
                f"decides on one tensor together with others, in {count:,} ways; at most {MOST_TOGETHER:,} are taken"
            )
            self.problems.update(dict.fromkeys(ordered, reason))
            return None
        return ordered, [{**self.most, **dict(zip(ordered, some, strict=True))} for some in itertools.product(*options)]

    def _check_layers(self, tops: Sequence[str]) -> None:
        """Notes decisions that change in a layer what no tensor shows, such as its stride."""
        first: dict[tuple[Any, ...], nn.Module] = {}
        most = self._look(self.most) or {}
        for key, look in [((), most), *self._looks.items()]:
            values = dict(key) if key else self.most
            kinds = {top: _signature((look or {})[top]) for top in tops if look and top in look}
            for place, layer in (look or {}).items():
                top = next((top for top in tops if place == top or _below(place, top)), None)
                reference = first.setdefault((place, kinds.get(top) if top is not None else None), layer)
                same = _signature(reference) == _signature(layer)
                reason = _difference(reference, layer) if same else "what parts there are"
                if reason is not None:
                    changed = [name for name in self.decisions if values[name] != self.most[name]]
                    # With several changed it is found with one of them, too, or is the doing of all.
                    for name in changed[:1] if len(changed) == 1 else [n for n in changed if not self.problems]:
                        what = f"changes {reason} of {place or 'the network'} ({type(layer).__name__})"
                        self.problems.setdefault(name, f"{what}, which no mixture of weights can stand for")

    def _tables(self, slot: Slot, sets: Sequence[set[str]], there: set[str]) -> Iterator[Table]:
        for dims, names in _components(sets, there):
            joint = self._joint(names)
            if joint is None:
                return
            ordered, combinations = joint
            full = self._full(slot, combinations)
            found: dict[tuple[Any, ...], int] = {}
            rows = []
            for values in combinations:
                look = self._look(values)
                layer = None if look is None else look.get(slot[0])
                shape = None if layer is None else _shapes(layer).get(slot[1])
                if shape is None or layer is None:
                    rows.append(-1)
                    continue
                regions = tuple(self._region(slot, layer, shape, full, dim) for dim in dims)
                rows.append(found.setdefault(regions, len(found)))
            counts = tuple(len(self.decisions[name].options or ()) for name in ordered)
            # Bytes are what a region is told from another by: thousands of them are alike.
            matrices = tuple(
                torch.tensor([list(regions[place]) for regions in found], dtype=torch.uint8)
                for place in range(len(dims))
            )
            sizes = tuple(tuple(sum(region) for region in regions) for regions in found)
            yield Table(ordered, counts, dims, torch.tensor(rows), matrices, sizes)

    def _full(self, slot: Slot, combinations: Iterable[Values]) -> tuple[int, ...]:
        assert self._shared is not None
        tensor = self._shared.of(f"{slot[0]}.{slot[1]}" if slot[0] else slot[1])
        if tensor is not None:
            return tuple(tensor.shape)
        shapes = [_shapes(look[slot[0]]).get(slot[1]) for look in map(self._look, combinations)
                  if look is not None and slot[0] in look]  # fmt: skip
        return tuple(max(sizes) for sizes in zip(*[shape for shape in shapes if shape is not None], strict=True))

    def _region(self, slot: Slot, layer: nn.Module, shape: tuple[int, ...], full: tuple[int, ...], dim: int) -> bytes:
        """One byte for each index of a dimension: whether the smaller tensor has it."""
        if shape[dim] == full[dim]:
            return b"\1" * full[dim]
        if slot[1] == SIZE:
            return b"\1" * shape[dim] + b"\0" * (full[dim] - shape[dim])
        name = f"{slot[0]}.{slot[1]}" if slot[0] else slot[1]
        indices = torch.arange(full[dim]).view([-1 if other == dim else 1 for other in range(len(full))]).expand(full)
        assert self._shared is not None
        part = part_of(indices, shape, self._shared.layers[name], layer, name)
        kept = part.movedim(dim, 0).reshape(shape[dim], -1)[:, 0]
        region = torch.zeros(full[dim], dtype=torch.uint8)
        region[kept] = 1
        return region.numpy().tobytes()

    def _check_draws(self) -> None:
        """SpaceError where networks of values that are drawn have other tensors than the tables say."""
        rng = np.random.default_rng(0)
        for _ in range(DRAWS if len(self.decisions) > 1 else 0):
            drawn = {name: decision.draw(float(rng.random())) for name, decision in self.decisions.items()}
            look = self._look({**self.most, **drawn})
            if look is None:
                continue
            for slot, tables in self.tables.items():
                shape = _shapes(look[slot[0]]).get(slot[1]) if slot[0] in look else None
                rows = [table.row(drawn, self.decisions) for table in tables]
                told = None if any(row < 0 for row in rows) else {
                    dim: size
                    for table, row in zip(tables, rows, strict=True)
                    for dim, size in zip(table.dims, table.sizes[row], strict=True)
                }  # fmt: skip
                if (shape is None) != (told is None) or (told and any(shape[d] != n for d, n in told.items())):  # type: ignore[index]
                    text = ", ".join(f"{name}={show(value)}" for name, value in drawn.items())
                    raise SpaceError(
                        f"the size of {slot[0]}.{slot[1]} depends on several values in a way that was not seen "
                        f"when each was changed alone: with {text} it is {shape}",
                        hint=f"Write one of them as one_of, or {ONE_PATH}.",
                    )


def _note_line(
    name: str,
    looks: Sequence[Mapping[str, nn.Module]],
    dims: dict[Slot, list[set[str]]],
    there: dict[Slot, set[str]],
    kinds: dict[str, set[str]],
) -> None:
    """Notes what changes along the values of one decision: sizes, which tensors there are, which layers."""
    for place in dict.fromkeys(itertools.chain(*looks)):
        layers = [look.get(place) for look in looks]
        if len({_signature(layer) for layer in layers if layer is not None}) > 1:
            kinds.setdefault(place, set()).add(name)
        found = [{} if layer is None else _shapes(layer) for layer in layers]
        for own in dict.fromkeys(itertools.chain(*found)):
            slot = (place, own)
            shapes = [shapes[own] for shapes in found if own in shapes]
            if len(shapes) < len(found):
                there.setdefault(slot, set()).add(name)
            sets = dims.setdefault(slot, [set() for _ in shapes[0]])
            for dim, sizes in enumerate(zip(*shapes, strict=False)):
                if len(set(sizes)) > 1:
                    sets[dim].add(name)


def _components(sets: Sequence[set[str]], there: set[str]) -> list[tuple[tuple[int, ...], set[str]]]:
    """Dimensions in groups, each with its decisions, so that no decision is in two; where some decide on whether the
    tensor is there at all, it is one group."""
    if there:
        return [(tuple(dim for dim, names in enumerate(sets) if names), there.union(*sets))]
    groups: list[tuple[tuple[int, ...], set[str]]] = []
    for dim, names in enumerate(sets):
        if names:
            met = [group for group in groups if group[1] & names]
            groups = [group for group in groups if not group[1] & names]
            joined = tuple(sorted([dim, *itertools.chain(*(dims for dims, _ in met))]))
            groups.append((joined, names.union(*(others for _, others in met))))
    return groups


def _shapes(layer: nn.Module) -> dict[str, tuple[int, ...]]:
    """The shapes of a layer's own parameters; of a norm without any that of what it normalises, as :data:`SIZE`."""
    found = {own: tuple(tensor.shape) for own, tensor in layer._parameters.items() if tensor is not None}
    if isinstance(layer, NORMS) and not found:
        found[SIZE] = norm_shape(layer)
    return found


def norm_shape(layer: nn.Module) -> tuple[int, ...]:
    """The shape of the weight that a norm has or would have."""
    for own in ("num_features", "num_channels"):
        if hasattr(layer, own):
            return (int(getattr(layer, own)),)
    shape: tuple[int, ...] = tuple(layer.normalized_shape)  # type: ignore[arg-type]
    return shape


def _signature(layer: nn.Module) -> Signature:
    # By name, for a class that is made in the constructor is another one each time.
    return type(layer).__module__, type(layer).__qualname__, tuple(layer._modules)


def _below(place: str, other: str) -> bool:
    return place != other and (not other or place.startswith(other + "."))


def _difference(large: nn.Module, small: nn.Module) -> str | None:
    """What tells two layers of one place apart besides the sizes of their tensors; None for nothing.

    Only torch's own layers are looked at: what others do with their attributes is found out by running them.
    """
    if type(large) is not type(small) or not type(large).__module__.startswith("torch."):
        return None
    passed = set(_OF_SIZE)
    if isinstance(large, CONVOLUTIONS) and isinstance(small, CONVOLUTIONS):
        reason = _difference_of_convolutions(large, small)
        if reason is not None:
            return reason
        passed |= {"kernel_size", "padding", "groups"}
    if isinstance(large, nn.GroupNorm) and isinstance(small, nn.GroupNorm):
        sizes = [layer.num_channels // layer.num_groups for layer in (large, small)]
        single = large.num_groups == small.num_groups == 1
        if large.num_channels != small.num_channels and not single and sizes[0] != sizes[1]:
            return "how many channels a group has"
        passed |= {"num_groups"} if large.num_channels != small.num_channels else set()
    if isinstance(large, nn.MultiheadAttention) and isinstance(small, nn.MultiheadAttention):
        if large.head_dim != small.head_dim:
            return "how many channels a head has"
        passed |= {"num_heads"}
    if isinstance(large, nn.RNNBase) and large.bidirectional and large.hidden_size != small.hidden_size:
        return "where the second direction begins in what comes out"
    for own in sorted(set(vars(large)) & set(vars(small)) - passed):
        pair = getattr(large, own), getattr(small, own)
        if all(_is_plain(value) for value in pair) and pair[0] != pair[1]:
            return f"'{own}'"
    return None


def _difference_of_convolutions(large: Any, small: Any) -> str | None:
    if small.groups != large.groups or small.groups > 1:
        depthwise = all(layer.groups == layer.in_channels for layer in (large, small))
        if not depthwise and (large.in_channels, large.out_channels) != (small.in_channels, small.out_channels):
            return "how many channels a group has"
    if isinstance(large.padding, str) or isinstance(small.padding, str):
        return None if large.padding == small.padding else "'padding'"
    for dim in range(len(large.kernel_size)):
        reach = [
            2 * layer.padding[dim] - layer.dilation[dim] * (layer.kernel_size[dim] - 1) for layer in (large, small)
        ]
        if reach[0] != reach[1]:
            return "how much of the border"
    return None


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)
