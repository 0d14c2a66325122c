"""NSGA-II: evolution of a whole front."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import final

import numpy as np
import numpy.typing as npt

from netwright import pareto
from netwright.arguments import share, whole
from netwright.space import SearchSpace
from netwright.strategies.base import Strategy
from netwright.strategies.unseen import Unseen
from netwright.trial import Objective, Proposal, State, Trial


@final
class NSGA2(Strategy):
    """NSGA-II for any number of objectives: Deb, Pratap, Agarwal and Meyarivan 2002; for networks Lu et al. 2019.

    The first ``population`` proposals are random. A child has two parents, each the better of two members drawn by
    non-domination rank, then by crowding distance. With probability ``crossover`` it takes each answer from either of
    them by a fair coin, else it is a copy of the first; then each of its decisions gets another value with
    probability ``mutation``, by default one over their number. Parents and children together are sorted, and the best
    ``population`` of them by rank and crowding are the next parents. Duplicates are removed where they would arise: a
    child that was proposed before is mutated, by one decision at a time, until it is new, and after eight of these a
    random architecture is proposed. It ends when the space is exhausted. A child inherits from its first parent.

    Constraint domination: an infeasible trial is behind every feasible one. By how much it broke its limits a strategy
    is not told, so that infeasible ones are equals, of which the earliest stay. They can be parents while there are
    too few others. Failed and pruned trials never join.

    A generation ends when as many trials as the population has members were told since the last one did. Nothing waits
    for it: with trials pending, further children of the same parents (random architectures in the first generation) are
    proposed, and what is told late counts in the generation in which it is told.

    The population is NSGA-Net's 40, or less: no more than a quarter of all combinations of answers.
    """

    def __init__(self, population: int = 40, *, crossover: float = 0.9, mutation: float | None = None) -> None:
        whole("NSGA2", 2, population=population)
        share("NSGA2", crossover=crossover, mutation=0.0 if mutation is None else mutation)
        self.population = population
        self.crossover = crossover
        self.mutation = mutation

    def start(self, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        super().start(space, objectives)
        self._unseen = Unseen(space)
        combinations = math.prod(decision.cardinality for decision in space.decisions)
        self._size = self.population if combinations >= 4 * self.population else max(2, int(combinations // 4))
        self._parents: list[Trial] = []
        self._fitness: list[tuple[int, float]] = []  # rank and negative crowding of each parent; smaller is better
        self._told: list[Trial] = []  # since the parents were chosen

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        if self._parents:
            first, second = self._parent(rng), self._parent(rng)
            child = first.architecture
            if rng.random() < self.crossover:
                child = self.space.crossover(child, second.architecture, rng)
            rate = 1 / max(1, len(child)) if self.mutation is None else self.mutation
            new = self._unseen.mutant(self.space.perturb(child, rng, rate), rng)
            if new is not None:
                return Proposal(new, inherits=first.number if first.scored else None)
        other = self._unseen.draw(rng)
        return None if other is None else Proposal(other)

    def tell(self, trial: Trial) -> None:
        self._unseen.add(trial.architecture)
        if not (trial.scored or trial.state is State.INFEASIBLE):
            return
        self._told.append(trial)
        if len(self._told) == self._size:
            self._select()

    def heirs(self) -> Collection[int]:
        return [trial.number for trial in (*self._parents, *self._told)]

    def _parent(self, rng: np.random.Generator) -> Trial:
        drawn: list[int] = rng.integers(len(self._parents), size=2).tolist()
        one, other = drawn
        return self._parents[one if self._fitness[one] <= self._fitness[other] else other]

    def _select(self) -> None:
        """The next parents: the best of parents and children by rank, then crowding, then age."""
        unique = {trial.architecture: trial for trial in reversed((*self._parents, *self._told))}
        trials = sorted(unique.values(), key=lambda trial: trial.number)
        scored = [index for index, trial in enumerate(trials) if trial.scored]
        rank = np.full(len(trials), len(trials))
        crowding = np.zeros(len(trials))
        if scored:
            points = np.array([[o.score(trials[index].metrics) for o in self.objectives] for index in scored])
            rank[scored], crowding[scored] = rank_and_crowding(points)
        order = np.lexsort((-crowding, rank))[: self._size]  # stable: by number among equals
        self._parents = [trials[index] for index in order]
        self._fitness = [(int(rank[index]), -float(crowding[index])) for index in order]
        self._told = []


def rank_and_crowding(points: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The non-domination rank of each of the points, larger being better, and its crowding within that rank."""
    ranks = pareto.ranks(points)
    sizes = np.bincount(ranks)
    crowding = np.full(len(points), np.inf)  # of one or two points
    for rank in np.flatnonzero(sizes > 2):
        layer = np.flatnonzero(ranks == rank)
        crowding[layer] = pareto.crowding(points[layer])
    return ranks, crowding
