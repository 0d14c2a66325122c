"""Distances between architectures, for Gaussian processes.

A distance here is a squared Euclidean one and a sum of groups, each in [0, 1]; so exp(-Σ θ_g d_g) is a positive
definite kernel for all θ ≥ 0.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.architecture import Architecture
from netwright.predictors.encodings import Coordinates
from netwright.space import SearchSpace

Floats = NDArray[np.float64]
Rows = NDArray[Any]

MOST_GROUPS = 64
"""Decisions beyond this share their weights: those of the same name but for its digits, or else all."""


class Distance(ABC):
    """A distance in ``groups`` parts."""

    groups: int

    @abstractmethod
    def encode(self, architectures: Sequence[Architecture]) -> Rows:
        """The architectures as rows that the other methods take."""

    @abstractmethod
    def parts(self, rows: Rows) -> Floats:
        """The distance between all pairs of ``rows`` in each group: groups × n × n."""

    @abstractmethod
    def weighted(self, a: Rows, b: Rows, weights: Floats) -> Floats:
        """Σ weights · distance between the rows of ``a`` and of ``b``: n × m."""


@final
class Hamming(Distance):
    """The weighted count of decisions that are answered otherwise, numbers by how far (:class:`Coordinates`)."""

    def __init__(self, space: SearchSpace) -> None:
        self._coordinates = Coordinates(space)
        self._group_of = _tied(self._coordinates.decisions)[self._coordinates.groups]
        self.groups = int(self._group_of.max()) + 1 if len(self._group_of) else 0

    def encode(self, architectures: Sequence[Architecture]) -> Rows:
        return self._coordinates.encode(architectures)

    def parts(self, rows: Rows) -> Floats:
        parts = np.zeros((self.groups, len(rows), len(rows)))
        for group in range(self.groups):
            columns = rows[:, self._group_of == group]
            parts[group] = _squared(columns, columns)
        return parts

    def weighted(self, a: Rows, b: Rows, weights: Floats) -> Floats:
        scale = np.sqrt(weights)[self._group_of]
        return _squared(a * scale, b * scale)


def _squared(a: Floats, b: Floats) -> Floats:
    """Squared Euclidean distances, at least 0."""
    distances: Floats = a @ (-2.0 * b.T)
    distances += np.einsum("ij,ij->i", a, a)[:, None]
    distances += np.einsum("ij,ij->i", b, b)[None, :]
    return np.maximum(distances, 0.0, out=distances)


def _tied(names: Sequence[str]) -> NDArray[np.int64]:
    """The group of each decision: one of its own while there are few."""
    if len(names) <= MOST_GROUPS:
        return np.arange(len(names))
    stems = ["".join(letter for letter in name if not letter.isdigit()) for name in names]
    known = list(dict.fromkeys(stems))
    if len(known) > MOST_GROUPS:
        return np.zeros(len(names), dtype=np.int64)
    return np.array([known.index(stem) for stem in stems])
