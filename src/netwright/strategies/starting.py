"""Known-good architectures first, then any strategy."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, final

import numpy as np

from netwright.errors import InfeasibleError, InputError
from netwright.space import SearchSpace
from netwright.strategies.base import Strategy
from netwright.trial import Objective, Proposal, Trial


@final
class StartingFrom(Strategy):
    """Proposes ``starts`` as they are, then what ``inner`` does, which is told of the starts like of any other trial.

    Each start is a mapping from decisions to answers, which may leave some open: these are drawn. One that breaks the
    limits of the space is left out. The inner strategy trains all networks whole: one that climbs through budgets
    would have to compare a start with networks that are trained for a shorter time.
    """

    def __init__(self, inner: Strategy, starts: Sequence[Mapping[str, Any]]) -> None:
        if not isinstance(inner, Strategy):
            raise InputError(f"StartingFrom: inner is a strategy, found {inner!r:.80}")
        if getattr(inner, "multi_fidelity", False) is True:
            raise InputError(
                f"{type(inner).__name__} trains networks for different budgets and takes no starts",
                hint="Use auto, or a strategy that trains all networks whole",
            )
        self.inner = inner
        self.starts = tuple(starts)

    def known_good(self) -> Sequence[Mapping[str, Any]]:
        return self.starts

    def start(self, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        super().start(space, objectives)
        self.inner.start(space, objectives)
        self._left = list(self.starts)
        self._proposed: set[Any] = set()

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        while self._left:
            try:
                architecture = self.space.complete(self._left.pop(0), rng)
            except InfeasibleError:
                continue
            key = self.space.key(architecture)
            if key not in self._proposed:
                self._proposed.add(key)
                return Proposal(architecture)
        return self.inner.ask(rng)

    def tell(self, trial: Trial) -> None:
        self.inner.tell(trial)

    def heirs(self) -> Collection[int] | None:
        return self.inner.heirs()
