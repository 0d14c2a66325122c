"""What a running search tells whoever watches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from netwright.trial import Trial

Phase = Literal["prepare", "supernet", "search", "finalists", "refit", "baseline", "export", "done"]


@dataclass(frozen=True, slots=True)
class Progress:
    """A snapshot, at most a few a second and one at every trial's end.

    ``trials`` counts final states; ``fraction`` is the part of the phase's budget that is used, 0 to 1, None where no
    limit is set; ``remaining`` is in seconds; ``per_minute`` counts trials that ended in the last minute. Each
    ``warning``, what a user may want to know of the data, is told once, before the first trial.
    """

    phase: Phase
    metric: str
    trials: int = 0
    finished: int = 0
    failed: int = 0
    reused: int = 0
    infeasible: int = 0
    running: int = 0
    best: Trial | None = None
    ended: Trial | None = None
    elapsed: float = 0.0
    remaining: float | None = None
    fraction: float | None = None
    per_minute: float = 0.0
    message: str | None = None
    warning: str | None = None


Watch = Callable[[Progress], None]
