"""Architectures drawn without repetition."""

from __future__ import annotations

from typing import final

import numpy as np

from netwright.architecture import Architecture
from netwright.errors import SpaceError
from netwright.space import SearchSpace

TRIES = 100
"""Draws that may all be repetitions before the space is taken to be nearly exhausted."""

MUTATIONS = 8
"""Mutations, one upon the other, that may all be repetitions before a descendant is given up."""

ENUMERABLE = 20_000
"""The largest space that is written out to find the last of its architectures; a limit may cost a while for each."""


@final
class Unseen:
    """Remembers the architectures of a study and draws others, uniformly among those that are left.

    A space of more than :data:`ENUMERABLE` architectures, or of unknown size, is not written out: after
    :data:`TRIES` repetitions in a row a draw is then one of them.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._seen: set[Architecture] = set()
        self._rest: list[Architecture] | None = None

    def __contains__(self, architecture: object) -> bool:
        return architecture in self._seen

    def add(self, architecture: Architecture) -> bool:
        """Remembers ``architecture``; whether it is new."""
        if architecture in self._seen:
            return False
        self._seen.add(architecture)
        return True

    def draw(self, rng: np.random.Generator) -> Architecture | None:
        """An architecture, remembered at once; None when none is left."""
        if self._rest is not None:
            return self._draw_from(self._rest, rng)
        for _ in range(TRIES):
            architecture = self._space.sample(rng)
            if self.add(architecture):
                return architecture
        if not (self._space.size.exact and self._space.size <= ENUMERABLE):
            return architecture
        self._rest = list(self._space.enumerate())
        return self._draw_from(self._rest, rng)

    def mutant(self, architecture: Architecture, rng: np.random.Generator) -> Architecture | None:
        """``architecture`` itself where it is new, else with one mutation upon the other until it is; remembered.

        None after :data:`MUTATIONS` of them, and where it has no neighbour.
        """
        for _ in range(MUTATIONS):
            if self.add(architecture):
                return architecture
            try:
                architecture = self._space.mutate(architecture, rng)
            except SpaceError:
                return None
        return architecture if self.add(architecture) else None

    def _draw_from(self, rest: list[Architecture], rng: np.random.Generator) -> Architecture | None:
        while rest:
            index = int(rng.integers(len(rest)))
            rest[index], rest[-1] = rest[-1], rest[index]
            architecture = rest.pop()
            if self.add(architecture):
                return architecture
        return None
