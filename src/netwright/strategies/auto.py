"""The default strategy."""

from __future__ import annotations

import bisect
from collections.abc import Collection, Mapping, Sequence
from typing import Any, final

import numpy as np

from netwright import pareto
from netwright.architecture import Architecture
from netwright.errors import InfeasibleError, InputError, SpaceError
from netwright.space import SearchSpace
from netwright.strategies.base import Strategy
from netwright.strategies.unseen import Unseen
from netwright.trial import Objective, Proposal, Trial

RANDOM = 5
"""Random architectures that follow the starts at least: what the starts have in common must not decide the search."""

FIRST = 10
"""Starts and random architectures together at least, before the first child."""

MUTATIONS = 8
"""Mutations, one upon the other, that may all lead to repetitions before a random architecture is taken instead."""


@final
class Auto(Strategy):
    """Evolution from known-good architectures, made for searches of some dozen to some hundred trials.

    1. ``starts`` come first, as they are. Each is a mapping from decisions to answers, which may leave some open:
       these are drawn. One that breaks the limits of the space is left out; one that is none of its
       architectures is refused before the search begins.
    2. Random architectures follow: at least 5, and until there are 10 of both.
    3. Then children of one mutation: the parent is the best of 10 drawn from the latest 20 trials that have a score.
       With the paper's 100 and 25 a search of a hundred trials would be random from end to end. Chosen on
       NAS-Bench-201 (CIFAR-10, by the validation accuracy after 12 epochs, 100 queries, 300 runs): the best found has
       a mean test accuracy of 94.11 %, with tournaments of 5 94.04; random search reaches 93.75, ``Evolution(10, 3)``
       93.92.

    Nothing is proposed twice while there are others: a child that was proposed before is mutated again, and after
    eight mutations given up for a random architecture. It ends when the space is exhausted.

    With several objectives the best of a tournament, and the one of 21 to leave, are told by non-domination rank and
    then crowding (Deb et al. 2002), not by age, which would forget the ends of the front.
    """

    def __init__(self, starts: Sequence[Mapping[str, Any]] = (), *, population: int = 20, tournament: int = 10) -> None:
        for name, value in (("population", population), ("tournament", tournament)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise InputError(f"Auto: {name} is a whole number of at least 1, found {value!r}")
        self.starts = tuple(starts)
        self.population = population
        self.tournament = tournament

    def start(self, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        super().start(space, objectives)
        self._unseen = Unseen(space)
        self._starts = [partial for partial in self.starts if self._fits(partial)]
        self._first = max(FIRST, len(self._starts) + RANDOM)
        self._members: list[Trial] = []  # by number, the oldest first
        self._fitness: dict[int, tuple[float, float]] = {}  # by number; larger is better
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
        if len(self.objectives) == 1:
            self._fitness[trial.number] = (self.objectives[0].score(trial.metrics), 0.0)
            leaving = self._members[0]
        else:
            self._fitness = self._rank()
            leaving = min(self._members, key=self._fit)
        if len(self._members) > self.population:
            self._members.remove(leaving)
            del self._fitness[leaving.number]

    def heirs(self) -> Collection[int]:
        return [member.number for member in self._members]

    def _fits(self, partial: Mapping[str, Any]) -> bool:
        """Whether a start keeps the limits of the space; what is drawn for the check is thrown away."""
        return self._completed(partial, np.random.default_rng(0)) is not None

    def _completed(self, partial: Mapping[str, Any], rng: np.random.Generator) -> Architecture | None:
        try:
            return self.space.complete(partial, rng)
        except InfeasibleError:
            return None

    def _propose(self, rng: np.random.Generator) -> Proposal | None:
        while self._starts:
            architecture = self._completed(self._starts.pop(0), rng)
            if architecture is not None and self._unseen.add(architecture):
                return Proposal(architecture)
        if self._members and len(self._members) + self._pending >= min(self._first, self.population):
            drawn = rng.integers(len(self._members), size=self.tournament)
            parent = max((self._members[index] for index in drawn), key=self._fit)
            child = self._child(parent.architecture, rng)
            if child is not None:
                return Proposal(child, inherits=parent.number)
        other = self._unseen.draw(rng)
        return None if other is None else Proposal(other)

    def _child(self, parent: Architecture, rng: np.random.Generator) -> Architecture | None:
        """``parent`` with one mutation; with further ones until it is new; None after :data:`MUTATIONS` of them."""
        child = parent
        try:
            for _ in range(MUTATIONS):
                child = self.space.mutate(child, rng)
                if self._unseen.add(child):
                    return child
        except SpaceError:
            pass  # the parent has no neighbour: a random architecture follows
        return None

    def _fit(self, trial: Trial) -> tuple[float, float]:
        return self._fitness[trial.number]

    def _rank(self) -> dict[int, tuple[float, float]]:
        points = np.array([[o.score(member.metrics) for o in self.objectives] for member in self._members])
        ranks = pareto.ranks(points)
        fitness: dict[int, tuple[float, float]] = {}
        for rank in np.unique(ranks):
            layer = np.flatnonzero(ranks == rank)
            for index, crowding in zip(layer, pareto.crowding(points[layer]), strict=True):
                fitness[self._members[index].number] = (-float(rank), float(crowding))
        return fitness


def _number(trial: Trial) -> int:
    return trial.number
