"""Budgets in ranking: scores at different budgets are never compared."""

from __future__ import annotations

import math
from collections.abc import Iterable

from netwright.trial import Budget, Trial


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
