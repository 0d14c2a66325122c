"""Regularized (ageing) evolution."""

from __future__ import annotations

import bisect
from collections.abc import Collection, Sequence
from typing import final

import numpy as np

from netwright.arguments import one_objective, whole
from netwright.errors import SpaceError
from netwright.space import SearchSpace
from netwright.strategies.base import Strategy
from netwright.trial import Objective, Proposal, Trial


@final
class Evolution(Strategy):
    """Regularized evolution: Real, Aggarwal, Huang and Le 2019, algorithm 1.

    The first ``population`` proposals are random. From then on ``tournament`` members are drawn *with replacement*,
    the best of them is copied with exactly one mutation, and when the child's score is told it joins and the *oldest*
    member leaves, however good it is. A child inherits from its parent.

    The defaults are the paper's, meant for thousands of trials. In a search of a hundred or two a
    population of 10 to 20 leaves time to evolve; ``Auto`` takes 20.

    What the paper leaves open: age is the trial's number, so that the population is the same in whatever order trials
    end. Proposals that are still pending count towards the first ``population``. A trial without a score (failed,
    infeasible, pruned) never joins; a reused one does. Where no mutation of the parent is valid a random
    architecture is proposed; in a space of a single one nothing is left after the first ``population``.

    One objective only: a tournament needs a single best.
    """

    def __init__(self, population: int = 100, tournament: int = 25) -> None:
        whole("Evolution", population=population, tournament=tournament)
        self.population = population
        self.tournament = tournament

    def start(self, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        one_objective("Evolution", objectives)
        super().start(space, objectives)
        self._members: list[Trial] = []  # by number, the oldest first
        self._pending = 0

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        if not self._members or len(self._members) + self._pending < self.population:
            proposal = Proposal(self.space.sample(rng))
        else:
            drawn = rng.integers(len(self._members), size=self.tournament)
            parent = max((self._members[index] for index in drawn), key=self._score)
            try:
                proposal = Proposal(self.space.mutate(parent.architecture, rng), inherits=parent.number)
            except SpaceError:  # the parent has no neighbour
                if self.space.size == 1:
                    return None
                proposal = Proposal(self.space.sample(rng))
        self._pending += 1
        return proposal

    def tell(self, trial: Trial) -> None:
        self._pending = max(0, self._pending - 1)
        if not trial.scored:
            return
        bisect.insort(self._members, trial, key=_number)
        if len(self._members) > self.population:
            del self._members[0]

    def heirs(self) -> Collection[int]:
        return [member.number for member in self._members]

    def _score(self, trial: Trial) -> float:
        return self.objectives[0].score(trial.metrics)


def _number(trial: Trial) -> int:
    return trial.number
