"""The shared tensors of a space with open sizes: for each place the largest that any architecture needs there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from netwright.architecture import Answer
from netwright.errors import SpaceError
from netwright.space import Decision
from netwright.supernet.kernels import Kernel, chain, identity, name_of, transformed
from netwright.supernet.share import largest
from netwright.supernet.slicing import sliced

Make = Callable[[Mapping[str, Answer], bool], nn.Module]
"""Makes the network with all candidates for given values; whether its weights are wanted, or only its sizes."""

MOST_VALUES = 12
"""Of so many values of a range the sizes are looked at."""
DRAWS = 32
"""And of so many combinations of values that are drawn."""
NORMS = (nn.modules.batchnorm._NormBase,)


@dataclass
class _Place:
    """What is known of one tensor: how large it must be, and the layer that it is largest in."""

    shape: tuple[int, ...]
    layer: nn.Module
    values: Mapping[str, Answer]
    is_buffer: bool


@final
class SharedTensors(nn.Module):
    """Parameters, and the statistics of norms, by the names of their places in a supernet.

    ``make`` is run for the largest values, for each value of each decision with the others at their largest and at
    their smallest, and for some that are drawn; a tensor is as large as the largest of them. Initial weights are those
    of the network where it is as large as that. SpaceError for what cannot be sliced.
    """

    def __init__(self, decisions: Sequence[Decision], make: Make) -> None:
        super().__init__()
        self.layers: dict[str, nn.Module] = {}
        self.others = False
        """Whether some networks have buffers that are not shared, such as a table that depends on a value."""
        places: dict[str, _Place] = {}
        seen: dict[tuple[Any, ...], tuple[str, nn.Module]] = {}
        for changed, values in _values(decisions):
            try:
                network = make(values, False)
            except SpaceError:
                # A combination that the rules of the space refuse may have no network; the largest must have one.
                if not seen:
                    raise
                continue
            for name, layer, tensor, is_buffer in _tensors(network):
                shape = tuple(tensor.shape)
                _note(places, name, layer, shape, values, is_buffer)
                seen.setdefault(_use(name, shape, layer), (changed or ", ".join(values), layer))
            self.others |= any(layer._buffers for layer in network.modules() if not isinstance(layer, NORMS))
        for (name, shape, *_), (decision, layer) in seen.items():
            place = places[name]
            try:
                sliced(torch.empty(place.shape, device="meta"), shape, place.layer, layer, name)
            except SpaceError as error:
                raise SpaceError(f"decision '{decision}': {error.message}", hint=error.hint) from None
        kernels: dict[str, set[Kernel]] = {}
        for name, shape, *_ in seen:
            if len(shape) > 2:
                kernels.setdefault(name, {places[name].shape[2:]}).add(shape[2:])
        self.kernels = {name: found for name in kernels if (found := chain(places[name].layer, kernels[name]))}
        """Of the convolutions whose kernels are open their sizes, the largest first."""
        self.transforms = False
        """Whether matrices make the smaller kernels (:meth:`transform`)."""
        self._fill(places, make)

    def transform(self) -> None:
        """Smaller kernels are made by matrices from now on, identities at first."""
        if not self.transforms:
            self.transforms = True
            for name, kernels in self.kernels.items():
                for large, small in pairwise(kernels):
                    weight = self.of(name)
                    assert weight is not None
                    self.register_parameter(f"{_key(name)}/{name_of(large, small)}", identity(small, weight))

    def part(self, name: str, shape: tuple[int, ...], small: nn.Module) -> Tensor:
        """What a layer uses of the tensor of a place, which has to be of that shape there."""
        shared = self.of(name)
        assert shared is not None
        kernels = self.kernels.get(name, ())
        if not self.transforms or tuple(shape[2:]) == tuple(shared.shape[2:]) or not kernels:
            return sliced(shared, shape, self.layers[name], small, name)
        matrices = (
            (after, self.get_parameter(f"{_key(name)}/{name_of(before, after)}")) for before, after in pairwise(kernels)
        )
        return transformed(shared, shape, self.layers[name], small, name, matrices)

    def of(self, place: str) -> Tensor | None:
        """The shared tensor of a place; None where it is a network's own."""
        key = _key(place)
        found = self._parameters.get(key)
        return self._buffers.get(key) if found is None else found

    def _fill(self, places: Mapping[str, _Place], make: Make) -> None:
        fresh: dict[int, dict[str, Tensor]] = {}
        for name, place in places.items():
            if id(place.values) not in fresh:
                network = make(place.values, True)
                fresh[id(place.values)] = {n: tensor.detach() for n, _, tensor, _ in _tensors(network)}
            tensor = _enlarged(fresh[id(place.values)][name], place.shape)
            self.layers[name] = place.layer
            if place.is_buffer:
                self.register_buffer(_key(name), tensor)
            else:
                self.register_parameter(_key(name), nn.Parameter(tensor))


def _values(decisions: Sequence[Decision]) -> Iterator[tuple[str, dict[str, Answer]]]:
    """Values to look at, and the decision that was changed; the largest come first."""
    most = {decision.name: largest(decision) for decision in decisions}
    least = {decision.name: smallest(decision) for decision in decisions}
    yield "", most
    for others in (most, least) if len(decisions) > 1 else (most,):
        for decision in decisions:
            options = decision.options or (decision.low, decision.high)
            step = -(-len(options) // MOST_VALUES)
            for value in dict.fromkeys([*options[::step], options[-1]]):
                if value != others[decision.name]:
                    yield decision.name, {**others, decision.name: value}
    if len(decisions) > 1:
        yield "", least
    rng = np.random.default_rng(0)
    for _ in range(DRAWS if len(decisions) > 1 else 0):
        yield "", {decision.name: decision.draw(float(rng.random())) for decision in decisions}


def smallest(decision: Decision) -> Answer:
    """The smallest number; of other options the last."""
    if decision.options is None:
        return decision.low
    return min(decision.options) if decision.numeric else decision.options[-1]


def _tensors(network: nn.Module) -> Iterator[tuple[str, nn.Module, Tensor, bool]]:
    for name, layer in network.named_modules():
        for own, parameter in layer._parameters.items():
            if parameter is not None:
                yield f"{name}.{own}" if name else own, layer, parameter, False
        if isinstance(layer, NORMS):
            for own, buffer in layer._buffers.items():
                if buffer is not None:
                    yield f"{name}.{own}" if name else own, layer, buffer, True


def _use(name: str, shape: tuple[int, ...], layer: nn.Module) -> tuple[Any, ...]:
    """What decides whether and how the tensor of a place is sliced: it is looked at once."""
    return name, shape, type(layer), getattr(layer, "groups", None), getattr(layer, "in_channels", None)


def _note(
    places: dict[str, _Place], name: str, layer: nn.Module, shape: tuple[int, ...], values: Mapping[str, Answer],
    is_buffer: bool,
) -> None:  # fmt: skip
    known = places.get(name)
    if known is None:
        places[name] = _Place(shape, layer, values, is_buffer)
        return
    if len(known.shape) != len(shape) or type(known.layer) is not type(layer):
        return  # the slicing says why
    if int(np.prod(shape)) > int(np.prod(known.shape)):
        known.layer, known.values = layer, values
    known.shape = tuple(max(pair) for pair in zip(known.shape, shape, strict=True))


def _enlarged(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The tensor, or where no network is as large in all dimensions, one with it as its first part."""
    if tuple(tensor.shape) == shape:
        return tensor.clone()
    large = torch.ones(shape) * (tensor.flatten()[-1] if tensor.numel() else 0.0)
    if len(shape) > 1:
        nn.init.kaiming_uniform_(large, a=5**0.5)
    large[tuple(slice(size) for size in tensor.shape)] = tensor
    return large


def _key(place: str) -> str:
    """A parameter's name may hold no dot."""
    return place.replace(".", "/")
