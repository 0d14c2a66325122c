"""Costs before training: what an architecture costs, asked of a process of its own and never twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from netwright.architecture import Architecture
from netwright.errors import InfeasibleError
from netwright.executors import TaskFailed
from netwright.space import SearchSpace
from netwright.study.candidates import Limit, measure_costs

if TYPE_CHECKING:
    from netwright.costs import Latency, Profile

STATIC = ("params", "macs", "flops", "memory", "activations", "size_mb")
"""Costs that follow from the architecture alone: the same on every machine and at every time."""
LEAST_SECONDS = 5.0
"""So long architectures that keep the limits are looked for, however little time there is."""


@dataclass
class Feasibility:
    """Knows the static costs of architectures and which of them keep the limits.

    With a profile as ``latency`` latencies are static, too.

    The network is built in ``executor``, not here: whatever a user's constructor does costs only the answer. An
    architecture whose costs cannot be measured passes, so that its own trial fails and says why.
    """

    space: SearchSpace
    input_shape: Sequence[int]
    limits: tuple[Limit, ...]
    executor: Executor
    names: tuple[str, ...]
    latency: Latency | Profile | None = None
    known: dict[Architecture, dict[str, float]] = field(default_factory=dict)
    refused: dict[str, bool] = field(default_factory=dict)
    fresh: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        # One function for all calls: an executor sends it to its worker, with space and profile, once.
        self._measure = partial(measure_costs, self.space, self.input_shape, self.names, latency=self.latency)

    def costs(self, architecture: Architecture) -> dict[str, float]:
        """The static costs; empty where they cannot be measured."""
        found = self.known.get(architecture)
        if found is None:
            try:
                found = self.executor.submit(self._measure, architecture).result()
            except TaskFailed:
                found = {}
            self.known[architecture] = found
        return found

    def __call__(self, architecture: Architecture) -> bool:
        """Whether the architecture keeps every limit on a static cost."""
        key = architecture.key
        if key in self.refused:
            return False
        if all(limit.broken(self.costs(architecture)) == 0 for limit in self.limits):
            return True
        self.refused[key] = True
        self.fresh.append(key)
        return False

    def remember(self, architecture: Architecture, costs: dict[str, float], refused: Iterable[str]) -> None:
        """Takes over what a journal says, so that nothing is measured again."""
        if costs:
            self.known[architecture] = costs
        for key in refused:
            self.refused[key] = True

    def take_fresh(self) -> list[str]:
        """The keys that were refused since the last call, for the journal."""
        fresh, self.fresh = self.fresh, []
        return fresh

    def require(self, seed: int, *, draws: int = 200, steps: int = 30, left: Callable[[], float] | None = None) -> None:
        """Raises InfeasibleError with the nearest miss if nothing that keeps the limits can be found.

        A small space is looked through whole. In a large one up to ``draws`` architectures are drawn and the nearest
        of them is led downhill: at each step the neighbour that breaks the limits least. ``left`` says how many seconds
        there are for it; what was found when they are over is the answer, but for a few seconds (:data:`LEAST_SECONDS`)
        it looks in any case.
        """
        whole = float(self.space.size) <= draws
        rng = np.random.default_rng([seed, 2])
        drawn = self.space.enumerate() if whole else (self.space.sample(rng) for _ in range(draws))
        nearest, miss = None, float("inf")
        began = time.monotonic()

        def over() -> bool:
            return left is not None and left() <= 0 and time.monotonic() - began >= LEAST_SECONDS

        for architecture in drawn:
            excess = self.excess(architecture)
            if excess == 0:
                return
            if excess < miss:
                nearest, miss = architecture, excess
            if over():
                self._refuse(nearest, "No architecture that could be found in the time")
        for _ in range(0 if whole else steps):
            assert nearest is not None
            best = miss, nearest
            for other in self.space.neighbours(nearest, rng):
                excess = self.excess(other)
                if excess == 0:
                    return
                best = min(best, (excess, other), key=lambda pair: pair[0])
                if over():
                    self._refuse(best[1], "No architecture that could be found in the time")
            if best[0] >= miss:
                break
            miss, nearest = best
        self._refuse(nearest, "No architecture of the space" if whole else "No architecture that could be found")

    def excess(self, architecture: Architecture) -> float:
        """By how much the limits are broken together, relative to each; 0 when they are kept."""
        costs = self.costs(architecture)
        return sum(limit.broken(costs) for limit in self.limits)

    def _refuse(self, nearest: Architecture | None, what: str) -> NoReturn:
        asked = " and ".join(str(limit) for limit in self.limits)
        if nearest is None:
            raise InfeasibleError(f"{what} meets {asked}")
        costs = self.costs(nearest)
        has = ", ".join(f"{limit.metric} {_number(costs[limit.metric])}" for limit in self.limits)
        raise InfeasibleError(
            f"{what} meets {asked}; the nearest has {has}", hint="Loosen the limit or widen the space"
        )


def _number(value: float) -> str:
    """Counts whole, and less than a thousand of anything with three digits."""
    return f"{value:,.0f}" if value >= 1000 or value == int(value) else f"{value:.3g}"
