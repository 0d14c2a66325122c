"""Asynchronous successive halving."""

from __future__ import annotations

import bisect
import heapq
import math
from collections.abc import Collection, Sequence
from typing import final

import numpy as np

from netwright.arguments import one_objective
from netwright.space import SearchSpace
from netwright.strategies.base import Strategy
from netwright.strategies.rungs import Entry, Pending, entry, ladder
from netwright.strategies.unseen import Unseen
from netwright.trial import Budget, Objective, Proposal, Trial


@final
class ASHA(Strategy):
    """Asynchronous successive halving: Li et al. 2020, algorithm 2.

    Each time it is asked it looks through the rungs from the top: where one of the best ⌊n/eta⌋ of the n that have
    ended in a rung was not promoted yet, the best of these goes on to the next budget, from its own weights;
    where none is left a random architecture begins at the smallest budget. It never waits for a rung to be complete.

    The budgets are max·eta^−k from ``min_budget`` on, or ``budgets``, an ascending ladder. A trial without a score
    counts as the worst of its rung and is never promoted; equal scores go by number. No architecture begins twice
    while there are others; when there are none, the best that wait are promoted after all. One objective only.

    Whatever was not promoted yet may be, when enough worse ones follow; so a study keeps the weights of all of them.
    """

    multi_fidelity = True

    def __init__(
        self,
        min_budget: float = 1,
        max_budget: float = 27,
        eta: int = 3,
        budgets: Sequence[Budget] | None = None,
    ) -> None:
        ladder("ASHA", min_budget, max_budget, eta, budgets)
        self.min_budget, self.max_budget, self.eta = min_budget, max_budget, eta
        self.budgets = None if budgets is None else tuple(budgets)

    def start(self, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        self._objective = one_objective("ASHA", objectives)
        super().start(space, objectives)
        self._ladder = ladder("ASHA", self.min_budget, self.max_budget, self.eta, self.budgets)
        self._rungs = [_Rung() for _ in self._ladder[:-1]]  # from the last none is promoted
        self._pending: Pending[int] = Pending()
        self._unseen = Unseen(space)

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        proposal = self._promote(self.eta)
        if proposal is not None:
            return proposal
        drawn = self._unseen.draw(rng)
        if drawn is None:
            return self._promote(1)
        return self._pending.add(Proposal(drawn, budget=self._ladder[0]), 0)

    def tell(self, trial: Trial) -> None:
        level = self._pending.take(trial)
        if level is not None and level < len(self._rungs):
            self._rungs[level].add(entry(trial, self._objective))

    def heirs(self) -> Collection[int]:
        return [number for rung in self._rungs for _, number, _ in rung.waiting]

    def _promote(self, eta: int) -> Proposal | None:
        for level in range(len(self._rungs) - 1, -1, -1):
            promoted = self._rungs[level].promote(eta)
            if promoted is not None:
                _, number, architecture = promoted
                proposal = Proposal(architecture, budget=self._ladder[level + 1], inherits=number)
                return self._pending.add(proposal, level + 1)
        return None


@final
class _Rung:
    """Those that ended at one budget, sorted, and a heap of those among them that were not promoted."""

    def __init__(self) -> None:
        self.ended: list[Entry] = []
        self.waiting: list[Entry] = []

    def add(self, ended: Entry) -> None:
        bisect.insort(self.ended, ended)
        if ended[0] < math.inf:
            heapq.heappush(self.waiting, ended)

    def promote(self, eta: int) -> Entry | None:
        """Takes the best that was not promoted, where it is among the best of the rung; no other can be then."""
        if not self.waiting or bisect.bisect_left(self.ended, self.waiting[0]) >= len(self.ended) // eta:
            return None
        return heapq.heappop(self.waiting)
