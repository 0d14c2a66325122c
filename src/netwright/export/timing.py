"""Times of several programs that take turns, so that what disturbs one disturbs all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

ROUNDS = 2000
"""At most so many rounds."""
LEAST = 30
"""At least so many, however long they take."""
WARMUP = 5


@dataclass(frozen=True)
class Timed:
    """Milliseconds of one call: the median and the 95th percentile."""

    median: float
    p95: float

    def to_value(self) -> dict[str, float]:
        return {"median_ms": round(self.median, 5), "p95_ms": round(self.p95, 5)}


def in_turns(programs: Mapping[str, Callable[[], object]], seconds: float = 1.5) -> dict[str, Timed]:
    """Calls each program once a round, for about ``seconds``; each round begins with another one."""
    names = list(programs)
    for name in names:
        for _ in range(WARMUP):
            programs[name]()
    times: dict[str, list[float]] = {name: [] for name in names}
    began = time.perf_counter()
    for number in range(ROUNDS):
        if number >= LEAST and time.perf_counter() - began > seconds:
            break
        for place in range(len(names)):
            name = names[(number + place) % len(names)]
            start = time.perf_counter_ns()
            programs[name]()
            times[name].append((time.perf_counter_ns() - start) / 1e6)
    return {name: Timed(float(np.median(each)), float(np.quantile(each, 0.95))) for name, each in times.items()}
