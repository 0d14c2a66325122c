"""The strategy that proposes what a one-shot method prefers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np

from netwright.architecture import Architecture
from netwright.arguments import as_whole
from netwright.space import SearchSpace
from netwright.strategies.base import Strategy
from netwright.strategies.oneshot.making import described
from netwright.strategies.oneshot.one_shot import OneShot
from netwright.trial import Objective, Proposal, State, Trial


@final
class Ranked(Strategy):
    """A differentiable search as a strategy: the first ask trains its supernet, if that was not done.

    It proposes what the method prefers among the architectures of the study's space, the best first, until ``count``
    of them have ended with a score (a limit that is measured at the last moment may refuse some); then nothing is left.
    """

    def __init__(self, one_shot: OneShot, count: int = 8) -> None:
        self.count = as_whole("count", count, 1)
        self.method = described(one_shot.method)
        self._one_shot = one_shot
        self._known: list[Architecture] = []

    def prepare(self, ranking: Sequence[Architecture]) -> None:
        """Goes by this order, the best first, which was found before; the method is asked for what comes after it."""
        self._known = self._ranking = list(ranking)

    def start(self, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        super().start(space, objectives)
        self._asked = self._lost = 0
        self._ranking = [architecture for architecture in self._known if architecture in space]

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        if self._asked >= self.count + self._lost:
            return None
        if self._asked == len(self._ranking):
            wanted = max(self.count, 2 * len(self._ranking))
            more = self._one_shot.ranked(wanted, self.space)
            self._ranking = [*self._ranking, *(each for each in more if each not in self._ranking)]
        if self._asked == len(self._ranking):
            return None
        self._asked += 1
        return Proposal(self._ranking[self._asked - 1])

    def tell(self, trial: Trial) -> None:
        self._lost += trial.state in (State.INFEASIBLE, State.FAILED)
