"""What moves between the parts: Objective, Proposal, Report, Trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from netwright.architecture import Architecture

SHOWN = 4
"""So many metrics stand in the text of a trial."""

Budget = float | int | str | None
"""How much a candidate may cost: epochs for ``Train``, :data:`PROXY` for a proxy, None for the full budget."""

PROXY = "proxy"
"""The budget of an evaluation without training, whose metrics are proxies and no objective."""


@dataclass(frozen=True, slots=True)
class Objective:
    """A metric and the direction in which it is better."""

    metric: str
    direction: Literal["maximize", "minimize"] = "maximize"

    def better(self, a: float, b: float) -> bool:
        """Whether ``a`` is strictly better than ``b``."""
        return a > b if self.direction == "maximize" else a < b

    def score(self, metrics: Mapping[str, float]) -> float:
        """The metric with its sign turned so that larger is better."""
        value = metrics[self.metric]
        return value if self.direction == "maximize" else -value


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a strategy asks to be evaluated.

    ``inherits`` is the number of the trial whose weights are the start: its own earlier self at a smaller budget
    (a promotion), or its parent (weight inheritance). A study that does not inherit ignores it.
    """

    architecture: Architecture
    budget: Budget = None
    inherits: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What an evaluation says of itself at a step (an epoch, for training)."""

    step: int
    metrics: Mapping[str, float]


class State(StrEnum):
    """The states of a trial; all but RUNNING are final."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    REUSED = "reused"
    INFEASIBLE = "infeasible"
    PRUNED = "pruned"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a trial failed: ``kind`` is one of exception, died, timeout, memory, non_finite, bad_result."""

    kind: str
    message: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


@dataclass(frozen=True, slots=True)
class Trial:
    """What came back. ``metrics`` holds finite floats only; ``seconds`` is the evaluation's own wall time.

    A REUSED trial carries the metrics of the trial that evaluated the same architecture at the same budget, and 0
    seconds. An INFEASIBLE trial carries its costs and was never trained.
    """

    number: int
    proposal: Proposal
    state: State
    metrics: Mapping[str, float] = field(default_factory=dict)
    curve: tuple[Report, ...] = ()
    error: Failure | None = None
    seconds: float = 0.0

    @property
    def architecture(self) -> Architecture:
        return self.proposal.architecture

    @property
    def scored(self) -> bool:
        """Whether it has the metrics of an evaluation, its own or a reused one."""
        return self.state in (State.FINISHED, State.REUSED)

    def __str__(self) -> str:
        """One line: number, state, metrics, scores before costs, (or why it failed) and architecture."""
        ordered = sorted(self.metrics.items(), key=lambda pair: not pair[0].startswith("val_"))
        facts = ", ".join(f"{name}={_digits(value)}" for name, value in ordered[:SHOWN])
        text = f"{facts}{', …' if len(self.metrics) > SHOWN else ''}" if self.error is None else str(self.error)
        return f"trial {self.number} ({self.state}{': ' if text else ''}{text}): {self.architecture}"

    def to_value(self) -> dict[str, Any]:
        """The trial as the command line prints it."""
        return {
            "number": self.number,
            "architecture": dict(self.architecture),
            "budget": self.proposal.budget,
            "state": str(self.state),
            "metrics": dict(self.metrics),
            "params": _count(self.metrics.get("params")),
            "macs": _count(self.metrics.get("macs")),
            "error": None if self.error is None else str(self.error),
            "seconds": self.seconds,
            "inherits": self.proposal.inherits,
        }


def _digits(value: float) -> str:
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.4g}"


def _count(value: float | None) -> int | None:
    return None if value is None else int(value)
