"""Successive halving."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from typing import final

import numpy as np

from netwright.arguments import one_objective, whole
from netwright.space import SearchSpace
from netwright.strategies.base import Strategy
from netwright.strategies.rungs import Brackets, ladder
from netwright.strategies.unseen import Unseen
from netwright.trial import Budget, Objective, Proposal, Trial


@final
class SuccessiveHalving(Strategy):
    """Successive halving: Jamieson and Talwalkar 2016, with eta for their 2.

    ``configurations`` random architectures begin at the smallest budget. When all of a rung have ended, the best
    ⌊n/eta⌋ of its n go on to the next budget, from their own weights (``inherits``), until one rung is left. Then it
    begins again with others. The default is eta^s_max of them, so that one reaches ``max_budget``.

    The budgets are max·eta^−k from ``min_budget`` on, or ``budgets``, an ascending ladder (whose last may be None, the
    full budget). While a rung waits for pending results the next bracket begins. A trial without a score counts as the
    worst of its rung and is never promoted; equal scores go by number. No architecture begins twice while there are
    others. One objective only.
    """

    multi_fidelity = True

    def __init__(
        self,
        min_budget: float = 1,
        max_budget: float = 27,
        eta: int = 3,
        budgets: Sequence[Budget] | None = None,
        configurations: int | None = None,
    ) -> None:
        ladder("SuccessiveHalving", min_budget, max_budget, eta, budgets)
        whole("SuccessiveHalving", configurations=1 if configurations is None else configurations)
        self.min_budget, self.max_budget, self.eta = min_budget, max_budget, eta
        self.budgets = None if budgets is None else tuple(budgets)
        self.configurations = configurations

    def start(self, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        objective = one_objective("SuccessiveHalving", objectives)
        super().start(space, objectives)
        budgets = ladder("SuccessiveHalving", self.min_budget, self.max_budget, self.eta, self.budgets)
        size = self.configurations or self.eta ** (len(budgets) - 1)
        self._brackets = Brackets(itertools.repeat((size, budgets)), self.eta, objective, Unseen(space).draw)

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        return self._brackets.ask(rng)

    def tell(self, trial: Trial) -> None:
        self._brackets.tell(trial)

    def heirs(self) -> Collection[int]:
        return self._brackets.heirs()
