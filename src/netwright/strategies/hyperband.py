"""Hyperband."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import final

import numpy as np

from netwright.arguments import one_objective
from netwright.space import SearchSpace
from netwright.strategies.base import Strategy
from netwright.strategies.rungs import Brackets, Plan, ladder
from netwright.strategies.unseen import Unseen
from netwright.trial import Budget, Objective, Proposal, Trial


@final
class Hyperband(Strategy):
    """Hyperband: Li, Jamieson, DeSalvo, Rostamizadeh and Talwalkar 2018, algorithm 1.

    Brackets of successive halving that differ in how cheaply they begin: bracket s = s_max … 0 begins with
    n = ⌈(s_max + 1)/(s + 1)·eta^s⌉ random architectures at the budget R·eta^−s, of which ⌊n_i/eta⌋ go on from rung to
    rung. After bracket 0 comes s_max again. With R = 81 and eta = 3 they begin with 81, 34, 15, 8 and 5; the paper's
    table has 81, 27, 9, 6, 5, because its program rounds (s_max + 1)/(s + 1) down first (as ``BOHB`` does).

    R is ``max_budget`` and s_max = ⌊log_eta(R/min_budget)⌋; or the rungs are ``budgets``, an ascending ladder, and
    s_max is one less than there are. A promotion starts from its own weights. While a rung waits for pending results
    the next bracket begins. A trial without a score counts as the worst of its rung; equal scores go by number. No
    architecture begins twice while there are others. One objective only.
    """

    multi_fidelity = True

    def __init__(
        self,
        min_budget: float = 1,
        max_budget: float = 27,
        eta: int = 3,
        budgets: Sequence[Budget] | None = None,
    ) -> None:
        ladder("Hyperband", min_budget, max_budget, eta, budgets)
        self.min_budget, self.max_budget, self.eta = min_budget, max_budget, eta
        self.budgets = None if budgets is None else tuple(budgets)

    def start(self, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        objective = one_objective("Hyperband", objectives)
        super().start(space, objectives)
        budgets = ladder("Hyperband", self.min_budget, self.max_budget, self.eta, self.budgets)
        self._brackets = Brackets(plans(budgets, self.eta), self.eta, objective, Unseen(space).draw)

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        return self._brackets.ask(rng)

    def tell(self, trial: Trial) -> None:
        self._brackets.tell(trial)

    def heirs(self) -> Collection[int]:
        return self._brackets.heirs()


def plans(budgets: tuple[Budget, ...], eta: int) -> Iterator[Plan]:
    """Bracket after bracket: how many begin, and at which budgets."""
    count = len(budgets)
    while True:
        for s in range(count - 1, -1, -1):
            yield -(-count * eta**s // (s + 1)), budgets[count - 1 - s :]
