"""Grid search."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import final

import numpy as np

from netwright.architecture import Architecture
from netwright.arguments import whole
from netwright.errors import InputError
from netwright.space import SearchSpace
from netwright.strategies.base import Strategy
from netwright.strategies.unseen import Unseen
from netwright.trial import Objective, Proposal


@final
class Grid(Strategy):
    """Every architecture once, in the order of decisions and options, the last decision turning fastest.

    A range takes at most ``points`` values, evenly spaced from its low to its high end (in the logarithm where
    ``log``); all other decisions take each of their values, where they are asked. The walk is lazy: a space too large
    to end it is begun all the same. It draws nothing and learns nothing, and ends with the last architecture.

    A walk in order changes only the last few decisions for a long time. ``shuffle=True`` visits the same architectures
    in random order, as ``Random`` does; beyond 20,000 of them a few may then be visited twice towards the end.
    """

    def __init__(self, points: int = 5, *, shuffle: bool = False) -> None:
        whole("Grid", points=points)
        if not isinstance(shuffle, bool):
            raise InputError(f"Grid: shuffle is true or false, found {shuffle!r}")
        self.points = points
        self.shuffle = shuffle

    def start(self, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        super().start(space, objectives)
        coarse = space.coarsen(self.points)
        self._walk: Iterator[Architecture] = coarse.enumerate()
        self._unseen = Unseen(coarse)

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        architecture = self._unseen.draw(rng) if self.shuffle else next(self._walk, None)
        return None if architecture is None else Proposal(architecture)

    def heirs(self) -> Collection[int]:
        return ()
