"""Budgets in ranking: scores at different budgets are never compared."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from netwright import pareto
from netwright.trial import Budget, Objective, Trial


def extent(budget: Budget) -> float:
    """How large a budget is beside others: None, the full one, is the largest; a word (``"proxy"``) the smallest."""
    if budget is None:
        return math.inf
    return -math.inf if isinstance(budget, str) else float(budget)


def ranks(trial: Trial) -> bool:
    """Whether the trial has a score that may be ranked: one of an evaluation, at a budget that is a number or full."""
    return trial.scored and not isinstance(trial.proposal.budget, str)


def fullest(trials: Iterable[Trial]) -> list[Trial]:
    """Those of the largest budget among the trials that may be ranked; only these can be compared by their scores."""
    ranked = [trial for trial in trials if ranks(trial)]
    largest = max((extent(trial.proposal.budget) for trial in ranked), default=math.inf)
    return [trial for trial in ranked if extent(trial.proposal.budget) == largest]


def front(trials: Sequence[Trial], objectives: Sequence[Objective]) -> list[Trial]:
    """Those that no other beats in all objectives at once, in their order; of several at one point the first."""
    if not trials or not objectives:
        return []
    points = np.array([[trial.metrics[objective.metric] for objective in objectives] for trial in trials])
    _, first = np.unique(points, axis=0, return_index=True)
    chosen = sorted(int(index) for index in first)
    indices = pareto.front(points[chosen], [objective.direction for objective in objectives])
    return [trials[chosen[index]] for index in sorted(int(index) for index in indices)]


def best_of(trials: Sequence[Trial], objectives: Sequence[Objective]) -> Trial | None:
    """The best by the first objective; of several with its score the first that none of them beats by the others."""
    if not objectives:
        return None
    scores = [objectives[0].score(trial.metrics) for trial in trials]
    highest = max(scores, default=0.0)
    top = [trial for trial, score in zip(trials, scores, strict=True) if score == highest]
    if len(objectives) > 1:
        top = front(top, objectives)
    return min(top, key=lambda trial: trial.number, default=None)
