"""Local search."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Literal, final

import numpy as np

from netwright.architecture import Architecture
from netwright.arguments import one_objective, whole
from netwright.errors import InputError
from netwright.space import SearchSpace
from netwright.strategies.base import Strategy
from netwright.strategies.unseen import Unseen
from netwright.trial import Objective, Proposal, Trial


@final
class LocalSearch(Strategy):
    """Hill climbing over one-edit neighbourhoods, with restarts: White, Nolen and Savani 2021.

    It begins at the best of ``starts`` random architectures and looks at the neighbours of where it stands
    (``SearchSpace.neighbours``: one decision has another value, a range the values a tenth of it away) in random
    order. With ``neighbourhood="all"`` it evaluates all of them and moves to the best, if that is better; with
    ``"first"`` it moves at the first that is better. At a local optimum it begins anew, at random architectures that
    it has not seen. ``LocalSearch(starts=10)`` is what the authors' naszilla runs.

    Nothing is asked twice: a neighbour that was evaluated before counts with the score that is known, and a descent
    that joins an earlier one costs nothing until it leaves it. A trial without a score (failed, infeasible, pruned) is
    never moved to. It ends when the space is exhausted.

    With several trials pending it may have asked for the whole neighbourhood and not know the move yet. Then it goes
    ahead and asks for neighbours of where it would move by what it was told so far, or would begin anew; where that is
    unknown too, for a random architecture, which takes part when it begins anew.

    One objective only: a move needs a single best.
    """

    def __init__(self, starts: int = 1, neighbourhood: Literal["all", "first"] = "all") -> None:
        whole("LocalSearch", starts=starts)
        if neighbourhood not in ("all", "first"):
            raise InputError(f"LocalSearch: neighbourhood is 'all' or 'first', found {neighbourhood!r}")
        self.starts = starts
        self.neighbourhood = neighbourhood

    def start(self, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        one_objective("LocalSearch", objectives, instead="Use the strategy NSGA2 or Auto")
        super().start(space, objectives)
        self._unseen = Unseen(space)
        self._told: dict[Architecture, tuple[float, int]] = {}  # score (-inf for none) and number of all that ended
        self._drawn: set[Architecture] = set()  # random architectures that are pending
        self._ready: list[Architecture] = []  # random architectures with a score, since the last descent began
        self._here: Architecture | None = None
        self._next: Architecture | None = None  # the best neighbour told so far, if it is better than here
        self._around: list[Architecture] = []  # neighbours that are still to be looked at, the next one last
        self._awaited: set[Architecture] = set()  # neighbours that are pending
        self._ahead: tuple[Architecture, list[Architecture]] | None = None  # neighbours of a likely move, likewise

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        kept = self.heirs()
        while True:
            here = self._here
            if here is None:
                here = self._beginning()
                if here is None:
                    return self._random(rng)
                self._ready.clear()
                self._move(here, rng)
            parent, child = self._step(here, rng)
            if child is not None:
                number = self._told[parent][1]
                return Proposal(child, inherits=number if number in kept else None)
            if self._awaited:
                return self._random(rng)
            self._here = None

    def tell(self, trial: Trial) -> None:
        architecture = trial.architecture
        self._unseen.add(architecture)
        score = self.objectives[0].score(trial.metrics) if trial.scored else -math.inf
        if score > self._score(architecture) or architecture not in self._told:
            self._told[architecture] = (score, trial.number)
        if architecture in self._awaited:
            self._awaited.remove(architecture)
            self._consider(architecture)
        if architecture in self._drawn:
            self._drawn.remove(architecture)
            if trial.scored:
                self._ready.append(architecture)

    def heirs(self) -> Collection[int]:
        """Where the search stands, where it may move to, and where it may begin."""
        places = [place for place in (self._here, self._next) if place is not None]
        return {self._told[place][1] for place in (*places, *self._ready)}

    def _step(self, here: Architecture, rng: np.random.Generator) -> tuple[Architecture, Architecture | None]:
        """Moves as far as is known, and the next neighbour to ask for, with whose neighbour it is.

        None where there is none: at a local optimum, or while the move waits for what is pending.
        """
        while True:
            while self._around and not (self._next is not None and self.neighbourhood == "first"):
                neighbour = self._around.pop()
                if neighbour in self._told:
                    self._consider(neighbour)
                    continue
                self._awaited.add(neighbour)
                if self._unseen.add(neighbour):
                    return here, neighbour
            if self._next is None or (self._awaited and self.neighbourhood == "all"):
                break
            here = self._next
            self._move(here, rng)
        likely = self._beginning() if self._next is None else self._next
        if likely is None or not self._awaited:
            return here, None
        if self._ahead is None or self._ahead[0] is not likely:
            self._ahead = (likely, self._neighbours(likely, rng))
        return likely, next((other for other in self._ahead[1] if self._unseen.add(other)), None)

    def _move(self, place: Architecture, rng: np.random.Generator) -> None:
        ahead = self._ahead
        self._here, self._next, self._ahead = place, None, None
        self._around = ahead[1] if ahead is not None and ahead[0] is place else self._neighbours(place, rng)
        self._awaited = set()

    def _beginning(self) -> Architecture | None:
        """Where the next descent begins; None before enough random architectures have a score."""
        return None if len(self._ready) < self.starts else max(self._ready, key=self._score)

    def _consider(self, neighbour: Architecture) -> None:
        """Takes the score of a neighbour in; of equals the first stays."""
        assert self._here is not None
        if self._score(neighbour) > self._score(self._here if self._next is None else self._next):
            self._next = neighbour

    def _neighbours(self, place: Architecture, rng: np.random.Generator) -> list[Architecture]:
        """In random order; what is asked because of an edit is drawn."""
        found = list(self.space.neighbours(place, rng))
        return [found[index] for index in rng.permutation(len(found))]

    def _random(self, rng: np.random.Generator) -> Proposal | None:
        architecture = self._unseen.draw(rng)
        if architecture is None:
            return None
        self._drawn.add(architecture)
        return Proposal(architecture)

    def _score(self, architecture: Architecture) -> float:
        return self._told.get(architecture, (-math.inf, 0))[0]
