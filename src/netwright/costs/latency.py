"""The time of a forward pass on this host."""

from __future__ import annotations

import copy
import math
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from netwright.costs.base import Example, as_inputs
from netwright.errors import InputError


@dataclass(frozen=True)
class Latency:
    """The median time of a forward pass in milliseconds, after warm-up, in PyTorch's eager runtime.

    ``batch`` examples go through at once (repeated from the example's rows), on ``threads`` threads of this host. A
    compiled runtime can rank networks otherwise: :attr:`record` says how the figure was found. Other work on the
    machine disturbs it: measure while the workers stand still.
    """

    repeats: int = 30
    warmup: int = 5
    batch: int = 1
    threads: int = 1
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name in ("repeats", "batch", "threads"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} of a latency is at least 1, found {getattr(self, name)}")
        if self.warmup < 0:
            raise InputError(f"warmup of a latency is at least 0, found {self.warmup}")

    @property
    def record(self) -> dict[str, Any]:
        """How the figure is found, as JSON: to be kept beside it."""
        return {
            **asdict(self),
            "runtime": "eager",
            "statistic": "median",
            "torch": torch.__version__,
            "processor": platform.processor() or platform.machine(),
        }

    def __call__(self, network: nn.Module, example: Example) -> float:
        if any(value.is_meta for value in network.parameters()):
            raise InputError("latency needs a network with values, not one on the meta device")
        twin = copy.deepcopy(network).to(self.device).eval()
        inputs = tuple(self._rows(value) for value in as_inputs(example))
        with _threads(self.threads), torch.random.fork_rng(devices=[]), torch.inference_mode():
            for _ in range(self.warmup):
                twin(*inputs)
            return statistics.median(self._time(lambda: twin(*inputs)) for _ in range(self.repeats))

    def _time(self, run: Callable[[], object]) -> float:
        self._wait()
        start = time.perf_counter()
        run()
        self._wait()
        return (time.perf_counter() - start) * 1e3

    def _wait(self) -> None:
        if self.device.startswith("cuda"):
            torch.cuda.synchronize(self.device)
        elif self.device.startswith("mps"):
            torch.mps.synchronize()

    def _rows(self, value: torch.Tensor) -> torch.Tensor:
        if value.is_meta:
            raise InputError("latency needs an example with values, not one on the meta device")
        times = math.ceil(self.batch / len(value))
        return torch.cat([value] * times)[: self.batch].to(self.device)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
