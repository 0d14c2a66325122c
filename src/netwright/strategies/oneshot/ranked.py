"""The strategy that proposes what a one-shot method prefers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np

from netwright.arguments import as_whole
from netwright.space import SearchSpace
from netwright.strategies.base import Strategy
from netwright.strategies.oneshot.making import described
from netwright.strategies.oneshot.one_shot import OneShot
from netwright.trial import Objective, Proposal


@final
class Ranked(Strategy):
    """A differentiable search as a strategy: the first ask trains its supernet, if that was not done.

    It proposes the ``count`` architectures that the method prefers among those of the study's space, the best first,
    and then has nothing left.
    """

    def __init__(self, one_shot: OneShot, count: int = 8) -> None:
        self.count = as_whole("count", count, 1)
        self.method = described(one_shot.method)
        self._one_shot = one_shot
        self._asked = 0

    def start(self, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        super().start(space, objectives)
        self._asked = 0

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        if self._asked == 0:
            self._ranking = self._one_shot.ranked(self.count, self.space)
        if self._asked >= len(self._ranking):
            return None
        self._asked += 1
        return Proposal(self._ranking[self._asked - 1])
