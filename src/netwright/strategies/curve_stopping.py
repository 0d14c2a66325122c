"""Stopping by the learning curve."""

from __future__ import annotations

import bisect
import math
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np

from netwright.architecture import Architecture
from netwright.arguments import not_negative, one_objective, one_of_these, whole
from netwright.space import SearchSpace
from netwright.strategies.base import Strategy
from netwright.strategies.rungs import Pending, ladder
from netwright.strategies.unseen import Unseen
from netwright.trial import Budget, Objective, Proposal, Trial

RULES = ("median", "sotl")
SAMPLERS = ("random", "evolution")
POPULATION, TOURNAMENT = 20, 5


@final
class CurveStopping(Strategy):
    """Advances each candidate along a ladder of budgets and stops it where its learning curve lags behind.

    After each stage but the last a rule decides, once, from what was known by then of that stage:

    - ``"median"`` (Golovin et al. 2017): a candidate stops when the best value of its curve is below the median, over
      the others that ended that stage, of the mean of their curves up to it.
    - ``"sotl"`` (Ru et al. 2021): a candidate goes on when the sum of its *training* losses over the last ``last``
      epochs is among the smallest ⌈n/eta⌉ of the n candidates of that stage.

    The first ``startup`` candidates of a stage go on whatever the rule says, and so does everything below the budget
    ``grace``. What goes on does so before anything new begins, from its own weights.

    A curve is what the trials reported of the objective, stage after stage; where they report nothing of it, their
    final metric is a curve of one point a stage. A stage that began from scratch replaces what was before.
    Where ``loss`` is neither reported nor among the metrics, "sotl" goes by the objective.

    New candidates come from the ``sampler``: ``"random"``, without repetition, or ``"evolution"``: one mutation of the
    best of 5 drawn from the latest 20 candidates; of two candidates that got to different stages the further one is
    better, so scores of different budgets are never compared. Children start from scratch: inherited weights would
    bend their curves. A trial without a score stops its candidate. One objective only.
    """

    multi_fidelity = True

    def __init__(
        self,
        min_budget: float = 1,
        max_budget: float = 27,
        eta: int = 3,
        budgets: Sequence[Budget] | None = None,
        *,
        rule: str = "median",
        sampler: str = "random",
        startup: int = 5,
        grace: float = 0,
        last: int = 1,
        loss: str = "train_loss",
    ) -> None:
        ladder("CurveStopping", min_budget, max_budget, eta, budgets)
        one_of_these("CurveStopping", "rule", rule, RULES)
        one_of_these("CurveStopping", "sampler", sampler, SAMPLERS)
        whole("CurveStopping", 0, startup=startup)
        whole("CurveStopping", last=last)
        not_negative("CurveStopping", grace=grace)
        self.min_budget, self.max_budget, self.eta = min_budget, max_budget, eta
        self.budgets = None if budgets is None else tuple(budgets)
        self.rule, self.sampler = rule, sampler
        self.startup, self.grace, self.last, self.loss = startup, grace, last, loss

    def start(self, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        self._objective = one_objective("CurveStopping", objectives)
        super().start(space, objectives)
        self._ladder = ladder("CurveStopping", self.min_budget, self.max_budget, self.eta, self.budgets)
        self._known: list[list[float]] = [[] for _ in self._ladder]  # of each stage, sorted: what the rule compares
        self._pending: Pending[_Candidate] = Pending()
        self._going_on: deque[_Candidate] = deque()
        self._unseen = Unseen(space)
        self._members: list[_Candidate] = []  # the latest that have a score, by the number of their first trial

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        if self._going_on:
            candidate = self._going_on.popleft()
            budget = self._ladder[candidate.stage]
            return self._pending.add(
                Proposal(candidate.architecture, budget=budget, inherits=candidate.number), candidate
            )
        architecture = self._child(rng) if self.sampler == "evolution" and self._members else None
        architecture = self._unseen.draw(rng) if architecture is None else architecture
        if architecture is None:
            return None
        return self._pending.add(Proposal(architecture, budget=self._ladder[0]), _Candidate(architecture))

    def tell(self, trial: Trial) -> None:
        candidate = self._pending.take(trial)
        if candidate is None or not trial.scored:
            return
        candidate.take(trial, self._objective, self.loss)
        if candidate.stage == 0 and self.sampler == "evolution":
            bisect.insort(self._members, candidate, key=_first)
            del self._members[:-POPULATION]
        if candidate.stage < len(self._ladder) - 1 and self._goes_on(candidate):
            candidate.stage += 1
            self._going_on.append(candidate)

    def heirs(self) -> Collection[int]:
        return [candidate.number for candidate in self._going_on]

    def _goes_on(self, candidate: _Candidate) -> bool:
        known, budget = self._known[candidate.stage], self._ladder[candidate.stage]
        if self.rule == "median":
            holds = not known or max(candidate.curve) >= _median(known)
            bisect.insort(known, math.fsum(candidate.curve) / len(candidate.curve))
        else:
            loss = math.fsum(candidate.losses[-self.last :]) if candidate.losses else -candidate.curve[-1]
            better = bisect.bisect_right(known, loss)  # of equal ones the earlier
            bisect.insort(known, loss)
            holds = better < -(-len(known) // self.eta)
        early = isinstance(budget, int | float) and budget < self.grace
        return holds or early or len(known) <= self.startup

    def _child(self, rng: np.random.Generator) -> Architecture | None:
        drawn = rng.integers(len(self._members), size=TOURNAMENT)
        parent = max((self._members[index] for index in drawn), key=_fitness)
        return self._unseen.mutant(parent.architecture, rng)


@final
@dataclass(eq=False)
class _Candidate:
    """One architecture on its way: the stage that it is at, its latest trial, its curve and training losses so far."""

    architecture: Architecture
    stage: int = 0
    first: int = -1
    number: int = -1
    reached: int = -1
    score: float = -math.inf
    curve: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def take(self, trial: Trial, objective: Objective, loss: str) -> None:
        """Takes in the trial of its present stage."""
        if self.first < 0:
            self.first = trial.number
        self.number, self.reached = trial.number, self.stage
        self.score = objective.score(trial.metrics)
        if _from_scratch(trial):
            self.curve, self.losses = [], []
        reports = [report.metrics for report in trial.curve]
        scores = [objective.score(metrics) for metrics in reports if objective.metric in metrics]
        self.curve += scores or [self.score]
        losses = [metrics[loss] for metrics in reports if loss in metrics]
        self.losses += losses or [trial.metrics[name] for name in (loss,) if name in trial.metrics]


def _from_scratch(trial: Trial) -> bool:
    """Whether nothing was inherited: the study does not inherit, or the weights were gone."""
    epochs = trial.metrics.get("epochs")
    return trial.proposal.inherits is None or (epochs is not None and trial.metrics.get("lineage_epochs") == epochs)


def _median(values: Sequence[float]) -> float:
    """Of sorted values."""
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def _first(candidate: _Candidate) -> int:
    return candidate.first


def _fitness(candidate: _Candidate) -> tuple[int, float]:
    return candidate.reached, candidate.score
