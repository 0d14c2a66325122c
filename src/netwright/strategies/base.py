"""The contract of a search strategy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from netwright.space import SearchSpace
from netwright.trial import Objective, Proposal, Trial

Known = Sequence[tuple[Mapping[str, Any], float]]
"""Architectures of another study with what they were worth there, larger being better; only their order counts."""


class Strategy(ABC):
    """Is asked for a proposal and told how it did; sees the space, trials and a random generator, and nothing else.

    What it was told (and its own pending proposals) is all its state, and all randomness comes from the generator
    handed to :meth:`ask`: a study resumes by asking and telling again, and goes on as if it had never stopped.
    Asking stays cheap however long the history is. The classes below this one are final.
    """

    def start(self, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        """Called once, before anything else. Forgets everything of an earlier study."""
        self.space = space
        self.objectives = tuple(objectives)

    @abstractmethod
    def ask(self, rng: np.random.Generator) -> Proposal | None:
        """The next proposal; None when nothing is left to propose.

        After a None the study asks for the same number once more, when all pending trials have been told, and ends if
        there is nothing then either.
        """

    def tell(self, trial: Trial) -> None:  # noqa: B027 - a strategy may have nothing to learn
        """A trial that ended, in the order of the trials' numbers; its state may be any final one.

        A trial without a score (failed, infeasible) is told too, so that its proposal is no longer pending.
        """

    def known_good(self) -> Sequence[Mapping[str, Any]]:
        """Answers to all or some decisions that it begins with because they are known to be good."""
        return ()

    def heirs(self) -> Collection[int] | None:
        """The numbers of the told trials that a later proposal may still inherit from; None for all of them.

        The study removes the weights of the others.
        """
        return None
