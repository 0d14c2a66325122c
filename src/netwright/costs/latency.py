"""The time of a forward pass on this host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import nn

from netwright.costs.base import Example, Inputs, as_inputs
from netwright.costs.runtimes import Place, rows_of
from netwright.costs.timing import Timing, in_rounds, repeated
from netwright.errors import InputError


@dataclass(frozen=True)
class Latency:
    """The median time of a forward pass in milliseconds, after warm-up, on a runtime of this host.

    ``on`` is a name of :data:`~netwright.costs.runtimes.RUNTIMES`, with ``:N`` for N threads (or the device N of
    CUDA). By itself it is ONNX Runtime, on one thread, on the graph that an export would write, where the extra
    ``onnx`` is installed, and else eager PyTorch, which is several times slower and ranks networks otherwise.
    ``batch`` examples go through at once (repeated from the example's rows). :attr:`record` says how the figure was
    found. Other work on the machine disturbs it: measure while the workers stand still, and what is to be compared
    together, by :meth:`compare`.
    """

    repeats: int = 30
    warmup: int = 5
    batch: int = 1
    on: str = "auto"

    def __post_init__(self) -> None:
        for name in ("repeats", "batch"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} of a latency is at least 1, found {getattr(self, name)}")
        if self.warmup < 0:
            raise InputError(f"warmup of a latency is at least 0, found {self.warmup}")

    @property
    def record(self) -> dict[str, Any]:
        """How the figure is found, as JSON: to be kept beside it."""
        place = Place.read(self.on)
        return {
            **{field.name: getattr(self, field.name) for field in fields(self)},
            "on": str(place),
            "statistic": "median",
            "versions": place.runtime.versions(),
            "processor": place.runtime.host(),
        }

    def require(self) -> None:
        """Raises InputError or MissingExtra where nothing can be timed so on this host."""
        Place.read(self.on)

    def __call__(self, network: nn.Module, example: Example) -> float:
        return self.timing(network, example).median

    def timing(self, network: nn.Module, example: Example) -> Timing:
        """Median with its interval and 95th percentile of ``repeats`` passes."""
        place, inputs = self._ready([network], example)
        with place.runtime.running(place.number):
            program = place.runtime.program(network, inputs, place.number)
            return repeated(program, repeats=self.repeats, warmup=self.warmup)

    def compare(self, networks: Sequence[nn.Module], example: Example, *, seconds: float = 2.0) -> list[Timing]:
        """The times of several networks, which take turns for about so many seconds: fit to be compared."""
        place, inputs = self._ready(networks, example)
        with place.runtime.running(place.number):
            programs = [place.runtime.program(network, inputs, place.number) for network in networks]
            return in_rounds(programs, seconds=seconds)

    def _ready(self, networks: Sequence[nn.Module], example: Example) -> tuple[Place, Inputs]:
        inputs = as_inputs(example)
        if any(value.is_meta for network in networks for value in network.parameters()):
            raise InputError("latency needs a network with values, not one on the meta device")
        if any(value.is_meta for value in inputs):
            raise InputError("latency needs an example with values, not one on the meta device")
        return Place.read(self.on), tuple(value.to(torch.device("cpu")) for value in rows_of(inputs, self.batch))
