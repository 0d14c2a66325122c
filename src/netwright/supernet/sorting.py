"""Channels in the order of their importance, before narrower layers take the first of them (Cai et al. 2020).

Which dimensions of which tensors are the same channels is read off the space: those whose sizes follow from one
decision alone, and are equal for each of its values, are permuted together. That this changes nothing is then tried,
with random permutations and random weights, on networks that together have all of these tensors in use. What fails is
left as it is, and said: channels that belong to groups or heads, or whose places mean something.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from netwright.architecture import Answer, Architecture
from netwright.errors import SpaceError
from netwright.space import Decision
from netwright.space.drawing import answered
from netwright.space.traceless import generators_kept
from netwright.supernet.share import largest
from netwright.supernet.slicing import CONVOLUTIONS
from netwright.supernet.supernet import Supernet
from netwright.supernet.tensors import MOST_VALUES, SharedTensors, smallest

ROWS = 2
"""With so many examples it is tried whether a permutation changes anything."""
NETWORKS = 24
"""On at most so many networks."""
NOISE = 0.1
"""Weights are moved by so much of their size, that none is zero or equal to another."""
CLOSE = {torch.float64: 1e-7, torch.float32: 1e-4}
"""So far apart outputs may be, beside the largest of them."""

_Slot = tuple[str, int]
"""A dimension of the tensor of a place."""
_Sizes = Mapping[_Slot, int]


@final
@dataclass(frozen=True, eq=False)
class Channels:
    """Dimensions of tensors that are the same channels, as many as ``decision`` says for each of its values.

    A slot may be so many ``times`` as long: each channel's numbers side by side, or (``tiled``) all channels one time
    after the other.
    """

    decision: str
    counts: Mapping[Answer, int]
    slots: tuple[_Slot, ...]
    times: tuple[int, ...]
    tiled: bool = False

    def permute(self, shared: SharedTensors, order: Tensor) -> None:
        """Puts channel ``order[i]`` where the i-th is, in place."""
        for (name, dim), times in zip(self.slots, self.times, strict=True):
            tensor = _tensor(shared, name)
            with torch.no_grad():
                tensor.copy_(tensor.index_select(dim, self._index(order, times, tensor.shape[dim])))

    def of_each(self, values: Tensor, times: int, count: int) -> Tensor:
        """The sum of what a slot has for each of ``count`` channels."""
        values = values[: count * times]
        return values.reshape(times, count).sum(0) if self.tiled else values.reshape(count, times).sum(1)

    def _index(self, order: Tensor, times: int, length: int) -> Tensor:
        each = torch.arange(times, device=order.device)
        index = each[:, None] * len(order) + order if self.tiled else order[:, None] * times + each
        # A tensor may be larger for another decision's sake than this one ever needs it.
        return torch.cat([index.flatten(), torch.arange(index.numel(), length, device=order.device)])


def sort_channels(
    supernet: Supernet, example: Tensor, learnt: Mapping[str, Sequence[Answer]], *, seed: int = 0
) -> dict[str, str]:
    """Sorts the channels of each decision in ``learnt``, the most important first; the largest networks stay the same.

    ``learnt`` has the values with which networks were trained already: channels do not leave the part that is theirs,
    so that these networks stay the same, too. A channel is as important as the weights are large, in absolute value
    and summed, by which the next layers take it in; those that only squeeze, to a width that the same decision says,
    count where there are no others. ``example`` are a few inputs.

    Answers with the decisions whose channels are not all sorted, and why.
    """
    if not isinstance(supernet.network, SharedTensors):
        return {}
    looks, shared = _Looks(supernet, learnt), supernet.network
    found: list[Channels] = []
    problems: dict[str, str] = {}
    for name in learnt:
        groups, problem = looks.groups(name)
        found += groups
        if problem:
            problems[name] = problem
    sound, failed = _verified(supernet, found, example[:ROWS], seed)
    problems |= {name: why for name, why in failed.items() if name not in problems}
    consumed = {group: _consumers(shared, group, found) for group in sound}
    for group, slots in consumed.items():
        values = [group.counts[value] for value in learnt[group.decision] if value in group.counts]
        borders = sorted({0, *values, max(group.counts.values())})
        if slots:
            group.permute(shared, _order(_importance(shared, group, slots), borders))
        else:
            problems.setdefault(group.decision, f"no layer takes in what {group.slots[0][0]} gives")
    return problems


# Below: helpers in the order of use


class _Looks:
    """The sizes of tensors for the values of decisions, the others at their largest."""

    def __init__(self, supernet: Supernet, wanted: Mapping[str, Sequence[Answer]]) -> None:
        self._supernet = supernet
        self._most = {decision.name: largest(decision) for decision in supernet.values}
        self._whole = self._look({})
        self._wanted = wanted
        self._of: dict[str, dict[Answer, _Sizes]] = {}

    def groups(self, name: str) -> tuple[list[Channels], str]:
        """The channels that follow from this decision alone, and why others that follow from it are not among them."""
        looks, problem = self._looks(name), ""
        for look in looks.values():
            if look.keys() != self._whole.keys():
                slot = min(look.keys() ^ self._whole.keys())
                return [], f"{slot[0]} is there with some of its values alone"
        counts: dict[tuple[int, ...], list[_Slot]] = {}
        for slot, size in self._whole.items():
            sizes = tuple(look[slot] for look in looks.values())
            if len(set(sizes)) > 1:
                others = (look for other in self._most if other != name for look in self._looks(other).values())
                if any(look.get(slot, size) != size for look in others):
                    problem = f"the size of {slot[0]} follows from other decisions, too"
                else:
                    counts.setdefault(sizes, []).append(slot)
        return [
            Channels(name, dict(zip(looks, sizes, strict=True)), tuple(slots), (1,) * len(slots))
            for sizes, slots in counts.items()
        ], problem

    def _looks(self, name: str) -> dict[Answer, _Sizes]:
        """The sizes for the values of a decision; looked at when they are asked for."""
        if name not in self._of:
            found = [decision for decision in self._supernet.values if decision.name == name]
            self._of[name] = dict(self._values(found[0], self._wanted.get(name))) if found else {}
        return self._of[name]

    def _values(self, decision: Decision, learnt: Sequence[Answer] | None) -> Iterator[tuple[Answer, _Sizes]]:
        """The sizes for some values; the smallest says whether a decision that is not sorted changes anything."""
        most = self._most[decision.name]
        options = decision.options or (decision.low, decision.high)
        step = -(-len(options) // MOST_VALUES)
        values = [smallest(decision)] if learnt is None else [*learnt, *options[::step], options[-1]]
        for value in dict.fromkeys([most, *values]):
            try:
                yield value, self._whole if value == most else self._look({decision.name: value})
            except SpaceError:
                continue  # The rules of the space have no network of these values.

    def _look(self, values: Mapping[str, Answer]) -> _Sizes:
        network = self._supernet._made({**self._most, **values}, False)
        shared = self._supernet.network
        assert isinstance(shared, SharedTensors)
        found: dict[_Slot, int] = {}
        for place, layer in network.named_modules():
            for own, tensor in (*layer._parameters.items(), *layer._buffers.items()):
                name = f"{place}.{own}" if place else own
                if tensor is not None and shared.of(name) is not None:
                    dims = 2 if isinstance(layer, CONVOLUTIONS) else tensor.dim()
                    found |= {(name, dim): tensor.shape[dim] for dim in range(min(dims, tensor.dim()))}
        return found


def _verified(
    supernet: Supernet, groups: Sequence[Channels], example: Tensor, seed: int
) -> tuple[list[Channels], dict[str, str]]:
    """The groups whose permutation changes nothing, and the decisions of others with the reason."""
    if not groups:
        return [], {}
    trial = _Trial(supernet, groups, example, seed)
    sound = [group for group in groups if all(slot[0] in trial.used for slot in group.slots)]
    problems = {group.decision: trial.untried(group) for group in groups if group not in sound}
    if trial.holds(sound):
        return sound, problems
    alone = [group for group in sound if trial.holds([group])]
    failed = [group for group in sound if group not in alone]
    for group in _joined(failed):
        if not any(slot in other.slots for other in alone for slot in group.slots) and trial.holds([group]):
            alone.append(group)
    slots = {slot for group in alone for slot in group.slots}
    for group in failed:
        if not set(group.slots) <= slots:
            why = f"the network is another one when the channels of {group.slots[0][0]} are in another order"
            problems.setdefault(group.decision, why)
    return alone, problems


class _Trial:
    """A copy of a supernet with other weights, and what some of its networks give."""

    def __init__(self, supernet: Supernet, groups: Sequence[Channels], example: Tensor, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        # The space holds nothing that changes here, and is large.
        self._twin = copy.deepcopy(supernet, {id(supernet.space): supernet.space}).eval()
        self._shared = self._twin.network
        assert isinstance(self._shared, SharedTensors)
        self._example = example
        self._randomise()
        wanted = {name for group in groups for name, _ in group.slots}
        tried, self._unbuilt = _networks(self._twin, wanted, self._rng)
        runs = []
        for kind in CLOSE:
            runs.append(self._run(kind, tried))
            if runs[-1] == (True, len(tried)):
                break
        # In single precision where the largest, or more of the others, have such numbers of their own.
        if max(runs) != runs[-1]:
            self._run(list(CLOSE)[runs.index(max(runs))], tried)
        if self._largest_fails is not None:
            raise self._largest_fails

    def _run(self, kind: torch.dtype, tried: Sequence[tuple[Architecture, set[str]]]) -> tuple[bool, int]:
        """Whether the largest network runs in that precision, and how many of them do; they are what is tried."""
        self._kind = kind
        self._twin.to(kind)
        self.used: set[str] = set()
        self._before: list[tuple[Architecture, Tensor]] = []
        self._failed: list[tuple[set[str], str]] = []
        self._largest_fails: Exception | None = None
        for number, (architecture, names) in enumerate(tried):
            try:
                self._before.append((architecture, self._output(architecture)))
                self.used |= names
            except Exception as error:
                self._failed.append((names, _why(architecture, error)))
                self._largest_fails = error if number == 0 else self._largest_fails
        return self._largest_fails is None, len(self._before)

    def untried(self, group: Channels) -> str:
        """Why it cannot be tried whether these channels may be in another order."""
        missing = {name for name, _ in group.slots} - self.used
        reasons = [reason for names, reason in self._failed if names & missing] + self._unbuilt
        if not reasons:
            return "no network that was tried has all of its layers"
        return f"no network that runs has all of its layers: {reasons[0]}"

    def holds(self, groups: Sequence[Channels]) -> bool:
        """Whether the networks give the same with these channels in another order, which they then keep."""
        assert isinstance(self._shared, SharedTensors)
        orders = [torch.from_numpy(self._rng.permutation(max(group.counts.values()))) for group in groups]
        orders = [order.to(next(self._shared.parameters()).device) for order in orders]
        for group, order in zip(groups, orders, strict=True):
            group.permute(self._shared, order)
        same = all(_distance(before, self._output(which)) <= CLOSE[self._kind] for which, before in self._before)
        for group, order in zip(groups, orders, strict=True) if not same else ():
            group.permute(self._shared, order.argsort())
        return same

    def _output(self, architecture: Architecture) -> Tensor:
        with torch.no_grad(), generators_kept(self._example.device, seed=0):
            outputs: Tensor = self._twin.at(architecture)(self._example.to(self._kind))
        return outputs

    def _randomise(self) -> None:
        assert isinstance(self._shared, SharedTensors)
        draw = torch.Generator().manual_seed(int(self._rng.integers(2**31)))
        with torch.no_grad():
            for parameter in self._shared.parameters():
                size = parameter.square().mean().sqrt()
                size = torch.where(size > 0, size, 1.0) if parameter.dim() > 1 else torch.ones_like(size)
                parameter.add_(NOISE * size * torch.randn(parameter.shape, generator=draw).to(parameter))
            for buffer in self._shared.buffers():
                if buffer.is_floating_point():
                    # Means and variances of norms; the latter stay above 0.
                    buffer.add_(NOISE * torch.rand(buffer.shape, generator=draw).to(buffer))


def _networks(
    supernet: Supernet, wanted: set[str], rng: np.random.Generator
) -> tuple[list[tuple[Architecture, set[str]]], list[str]]:
    """The largest networks that together have all options and all tensors that are wanted, each with its tensors.

    As many as that takes, and no more than :data:`NETWORKS`. And why others could not be built.
    """
    space = supernet.space.unrestricted
    options = {
        (decision.name, option)
        for decision in space.decisions
        if decision.kind == "one_of" and not decision.of_training
        for option in decision.options or ()
    }
    found: list[tuple[Architecture, set[str]]] = []
    unbuilt: list[str] = []
    refused = False
    for number in range(NETWORKS):

        def answer(decision: Decision, number: int = number, refused: bool = refused) -> Answer:
            if number == 0 or decision.kind not in ("one_of", "inputs"):
                return largest(decision)
            # What was refused would be asked for again and again: then options are drawn.
            left = [option for option in decision.options or () if (decision.name, option) in options]
            return left[0] if left and not refused else decision.draw(float(rng.random()))

        architecture = answered(space.decisions, answer)
        try:
            network, places = supernet._locate(architecture)
        except Exception as error:
            if number == 0:
                raise
            unbuilt.append(_why(architecture, error))
            refused = True
            continue
        refused = False
        names = set()
        for name, layer in network.named_modules():
            tensors = (*layer._parameters.items(), *layer._buffers.items())
            names |= {f"{places[name]}.{own}" if places[name] else own for own, tensor in tensors if tensor is not None}
        found.append((architecture, names))
        options.difference_update(architecture.items())
        wanted = wanted - names
        if not options and not wanted:
            break
    return found, unbuilt


def _why(architecture: Architecture, error: Exception) -> str:
    return f"{architecture!s:.80} gives {type(error).__name__}: {' '.join(str(error).split()):.120}"


def _joined(groups: Sequence[Channels]) -> Iterator[Channels]:
    """Of groups of one decision that fail alone, those that may be the same channels several times.

    As after a flattening, or for the gates of a cell.
    """
    for group in groups:
        slots, times = group.slots, group.times
        for other in groups:
            if other.decision == group.decision and other is not group:
                ratios = {other.counts[value] / group.counts[value] for value in group.counts}
                ratio = ratios.pop()
                if not ratios and ratio > 1 and ratio == int(ratio):
                    slots, times = slots + other.slots, times + (int(ratio),) * len(other.slots)
        if len(slots) > len(group.slots):
            yield replace(group, slots=slots, times=times)
            yield replace(group, slots=slots, times=times, tiled=True)


def _consumers(shared: SharedTensors, group: Channels, groups: Sequence[Channels]) -> list[tuple[_Slot, int]]:
    """The weights by which channels are taken in, each with how many times it has each."""
    narrowing = {slot for other in groups if other.decision == group.decision for slot in other.slots}
    narrowing -= set(group.slots)
    every = [
        (slot, times)
        for slot, times in zip(group.slots, group.times, strict=True)
        if slot[1] == 1 and not isinstance(shared.layers[slot[0]], nn.Embedding)
    ]
    return [(slot, times) for slot, times in every if (slot[0], 0) not in narrowing] or every


def _importance(shared: SharedTensors, group: Channels, slots: Sequence[tuple[_Slot, int]]) -> Tensor:
    """The sums of absolute weights that take in each channel."""
    count = max(group.counts.values())
    total = torch.zeros(count)
    for (name, dim), times in slots:
        weight = _tensor(shared, name).detach().abs()
        values = weight.sum([other for other in range(weight.dim()) if other != dim])
        total = total.to(weight) + group.of_each(values, times, count)
    return total


def _order(importance: Tensor, borders: Sequence[int]) -> Tensor:
    """The places of channels, the most important first between each two borders."""
    parts = [
        low + importance[low:high].argsort(descending=True, stable=True) for low, high in itertools.pairwise(borders)
    ]
    return torch.cat(parts)


def _tensor(shared: SharedTensors, name: str) -> Tensor:
    tensor = shared.of(name)
    assert tensor is not None
    return tensor


def _distance(expected: Tensor, found: Tensor) -> float:
    """The largest difference beside the largest number; infinity where something is no number."""
    distance = float((expected - found).abs().max() / expected.abs().max().clamp_min(1e-12))
    return distance if np.isfinite(distance) else float("inf")
