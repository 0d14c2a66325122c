"""Random search."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import final

import numpy as np

from netwright.space import SearchSpace
from netwright.strategies.base import Strategy
from netwright.strategies.unseen import Unseen
from netwright.trial import Objective, Proposal


@final
class Random(Strategy):
    """Architectures drawn uniformly, none twice while others are left; the baseline that every other has to beat.

    It ends when the space is exhausted. A space too large to be written out (see :class:`Unseen`) may repeat itself,
    which then costs no training.
    """

    def start(self, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        super().start(space, objectives)
        self._unseen = Unseen(space)

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        architecture = self._unseen.draw(rng)
        return None if architecture is None else Proposal(architecture)

    def heirs(self) -> Collection[int]:
        return ()
