"""The contract of a predictor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netwright.architecture import Architecture
from netwright.errors import InputError
from netwright.space import SearchSpace

Floats = NDArray[np.float64]
Rows = NDArray[Any]
"""What :meth:`Predictor.encode` makes of architectures: the first axis counts them, the rest is the predictor's own."""

Architectures = Sequence[Architecture] | Rows


class Predictor(ABC):
    """Learns the score of architectures of one space, and says how sure it is.

    Wherever architectures are asked for, the rows that :meth:`encode` made of them will do: whoever predicts the same
    ones again and again encodes them once. ``seed`` is a number, and then every fit of the same data gives the same
    predictor, or a generator to draw from. No other randomness is used, and no global state. The classes below this
    one are final.
    """

    def __init__(self, space: SearchSpace, *, seed: int | np.random.Generator = 0) -> None:
        if not isinstance(space, SearchSpace):
            raise InputError(f"{type(self).__name__} learns on a SearchSpace, found {space!r:.80}")
        self.space = space
        self.seed = seed
        self._rows: Rows | None = None
        self._scores: Floats = np.empty(0)

    def fit(self, architectures: Architectures, scores: ArrayLike) -> Predictor:
        """Forgets everything and learns ``scores``, one finite number for each architecture; gives itself back."""
        rows, values = self._pair(architectures, scores)
        if not len(values):
            raise InputError(
                f"{type(self).__name__} was given nothing to learn from", hint="Give at least one scored architecture."
            )
        self._fit(rows, values)
        self._rows, self._scores = rows, values
        return self

    def update(self, architectures: Architectures, scores: ArrayLike) -> Predictor:
        """Learns some more; the same as a fit to all, where a predictor does not say that it is cheaper."""
        if self._rows is None:
            return self.fit(architectures, scores)
        rows, values = self._pair(architectures, scores)
        if not len(values):
            return self
        rows, values = np.concatenate([self._rows, rows]), np.concatenate([self._scores, values])
        self._update(rows, values)
        self._rows, self._scores = rows, values
        return self

    def predict(self, architectures: Architectures) -> tuple[Floats, Floats]:
        """The expected score of each architecture and its standard deviation, both in the score's unit."""
        if self._rows is None:
            raise InputError(f"{type(self).__name__} was asked to predict before it was fitted", hint="Call fit first.")
        rows = self._encoded(architectures)
        if not len(rows):
            return np.empty(0), np.empty(0)
        return self._predict(rows)

    @abstractmethod
    def encode(self, architectures: Sequence[Architecture]) -> Rows:
        """The architectures as this predictor reads them."""

    @abstractmethod
    def _fit(self, rows: Rows, scores: Floats) -> None:
        """Learns; both are checked and not empty."""

    @abstractmethod
    def _predict(self, rows: Rows) -> tuple[Floats, Floats]:
        """Mean and spread of rows that are not empty."""

    def _update(self, rows: Rows, scores: Floats) -> None:
        """Learns all of this, of which the first part is known."""
        self._fit(rows, scores)

    def _generator(self) -> np.random.Generator:
        """What a fit draws from: new for a number, so that fits repeat."""
        return self.seed if isinstance(self.seed, np.random.Generator) else np.random.default_rng(self.seed)

    def _pair(self, architectures: Architectures, scores: ArrayLike) -> tuple[Rows, Floats]:
        try:
            values = np.asarray(scores, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"{type(self).__name__}: scores are numbers, found {scores!r:.80}") from error
        if values.ndim != 1 or len(values) != len(architectures):
            raise InputError(
                f"{type(self).__name__}: every architecture has one score, found {len(architectures)} architectures "
                f"and scores of shape {values.shape}"
            )
        if not np.isfinite(values).all():
            place = int(np.flatnonzero(~np.isfinite(values))[0])
            raise InputError(
                f"{type(self).__name__}: score {place} of {len(values)} is {values[place]}, a score is a finite number",
                hint="Leave failed trials out.",
            )
        return self._encoded(architectures), values

    def _encoded(self, architectures: Architectures) -> Rows:
        return architectures if isinstance(architectures, np.ndarray) else self.encode(architectures)
