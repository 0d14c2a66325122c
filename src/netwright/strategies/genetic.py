"""A genetic algorithm: evolution with crossover."""

from __future__ import annotations

import bisect
from collections.abc import Collection, Sequence
from typing import Literal, final

import numpy as np

from netwright.arguments import one_objective, share, whole
from netwright.errors import InputError
from netwright.space import SearchSpace
from netwright.strategies.base import Strategy
from netwright.strategies.unseen import Unseen
from netwright.trial import Objective, Proposal, Trial


@final
class Genetic(Strategy):
    """A steady-state genetic algorithm: tournaments, uniform crossover, mutation, and one who leaves.

    The textbook's (Eiben and Smith, Introduction to Evolutionary Computing, 2015, chapters 4 and 5), one child at a
    time. The first ``population`` proposals are random. From then on two parents win a tournament of ``tournament``
    members each, drawn with replacement. With probability ``crossover`` the child takes each answer from either of
    them by a fair coin (Syswerda 1989), else it is a copy of the first; then each of its decisions gets another value
    with probability ``mutation``, by default one over their number, so that one changes on average. When its score is
    told it joins, and with ``leaving="worst"`` the worst member goes (the elitist GENITOR of Whitley 1989: the best
    are never lost), with ``leaving="oldest"`` the oldest (the ageing of Real et al. 2019).

    What the textbook leaves open: a child that was proposed before is mutated, by one decision at a time, until it is
    new, and after eight of these a random architecture is proposed; so nothing is proposed twice while there are
    others, and it ends when the space is exhausted. Of two equally bad ones the older goes. Age is the trial's number.
    A child inherits from its first parent. Trials without a score (failed, infeasible, pruned) never join.

    One objective only: a tournament needs a single best. With several use ``NSGA2``.
    """

    def __init__(
        self,
        population: int = 20,
        tournament: int = 3,
        *,
        crossover: float = 0.9,
        mutation: float | None = None,
        leaving: Literal["worst", "oldest"] = "worst",
    ) -> None:
        whole("Genetic", population=population, tournament=tournament)
        share("Genetic", crossover=crossover, mutation=0.0 if mutation is None else mutation)
        if leaving not in ("worst", "oldest"):
            raise InputError(f"Genetic: leaving is 'worst' or 'oldest', found {leaving!r}")
        self.population = population
        self.tournament = tournament
        self.crossover = crossover
        self.mutation = mutation
        self.leaving = leaving

    def start(self, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        one_objective("Genetic", objectives, instead="Use the strategy NSGA2")
        super().start(space, objectives)
        self._unseen = Unseen(space)
        self._members: list[Trial] = []  # by number, the oldest first
        self._pending = 0

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        proposal = self._propose(rng)
        if proposal is not None:
            self._pending += 1
        return proposal

    def tell(self, trial: Trial) -> None:
        self._pending = max(0, self._pending - 1)
        self._unseen.add(trial.architecture)
        if not trial.scored:
            return
        bisect.insort(self._members, trial, key=_number)
        if len(self._members) > self.population:
            self._members.remove(self._members[0] if self.leaving == "oldest" else min(self._members, key=self._score))

    def heirs(self) -> Collection[int]:
        return [member.number for member in self._members]

    def _propose(self, rng: np.random.Generator) -> Proposal | None:
        if self._members and len(self._members) + self._pending >= self.population:
            first, second = self._parent(rng), self._parent(rng)
            child = first.architecture
            if rng.random() < self.crossover:
                child = self.space.crossover(child, second.architecture, rng)
            rate = 1 / max(1, len(child)) if self.mutation is None else self.mutation
            child = self.space.perturb(child, rng, rate)
            new = self._unseen.mutant(child, rng)
            if new is not None:
                return Proposal(new, inherits=first.number)
        other = self._unseen.draw(rng)
        return None if other is None else Proposal(other)

    def _parent(self, rng: np.random.Generator) -> Trial:
        drawn: list[int] = rng.integers(len(self._members), size=self.tournament).tolist()
        return max((self._members[index] for index in drawn), key=self._score)

    def _score(self, trial: Trial) -> float:
        return self.objectives[0].score(trial.metrics)


def _number(trial: Trial) -> int:
    return trial.number
