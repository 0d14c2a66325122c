"""Bayesian linear regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, final

import numpy as np

from netwright.architecture import Architecture
from netwright.arguments import one_of_these
from netwright.predictors.base import Floats, Predictor, Rows
from netwright.predictors.encodings import Adjacency, OneHot, Paths
from netwright.predictors.kernels import Hamming
from netwright.predictors.warping import warped
from netwright.space import SearchSpace

ENCODINGS: dict[str, Any] = {"coordinates": Hamming, "one-hot": OneHot, "adjacency": Adjacency, "paths": Paths}

NOISES = np.logspace(-3, 3, 25)


@final
class Ridge(Predictor):
    """Linear in the columns of an encoding, in closed form (Bishop 2006, section 3.3).

    ``encoding="coordinates"`` takes the rows of :class:`~netwright.predictors.kernels.Hamming`: each answer, and how
    often each was given where several decisions have the same options; the others are of
    :mod:`netwright.predictors.encodings`.

    Coefficients are normal around 0; the ratio of noise to their variance is the one of 25 with the greatest evidence,
    and the variance itself follows. The spread is that of a new measurement. What every predictor with more parameters
    has to beat.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        encoding: Literal["coordinates", "one-hot", "adjacency", "paths"] = "coordinates",
        warp: bool = True,
        seed: int | np.random.Generator = 0,
    ) -> None:
        super().__init__(space, seed=seed)
        self.encoding = encoding
        self.warp = warp
        self._encoder = encoder(space, encoding, "Ridge")

    def encode(self, architectures: Sequence[Architecture]) -> Rows:
        rows: Rows = self._encoder.encode(architectures)
        return rows

    def _fit(self, rows: Rows, scores: Floats) -> None:
        latent, self._map = warped(scores, self.warp)
        self._center, self._columns = float(latent.mean()), rows.mean(axis=0)
        left, values, self._right = np.linalg.svd(rows - self._columns, full_matrices=False)
        target = latent - self._center
        count, along = len(target), left.T @ target
        rest = max(float(target @ target - along @ along), 0.0)

        def evidence(noise: float) -> float:
            """Log evidence with unit prior variance, the overall variance maximised out; constants left out."""
            shrunk = values**2 + noise
            square = float((along**2 / shrunk).sum() + rest / noise)
            logs = np.log(shrunk).sum() + (count - len(values)) * np.log(noise)
            return float(-0.5 * (count + 1) * np.log((square + 1.0) / (count + 1)) - 0.5 * logs)

        self._noise = max(NOISES.tolist(), key=evidence)
        shrunk = values**2 + self._noise
        self._coefficients = self._right.T @ (values / shrunk * along)
        self._variance = float(((along**2 / shrunk).sum() + rest / self._noise + 1.0) / (count + 1))
        self._known = values**2 / shrunk

    def _predict(self, rows: Rows) -> tuple[Floats, Floats]:
        centered = rows - self._columns
        projected = (centered @ self._right.T) ** 2
        # The prior's variance along every direction, less what is known of those that were seen.
        variance = np.einsum("ij,ij->i", centered, centered) - projected @ self._known + self._noise
        mean = self._center + centered @ self._coefficients
        return self._map.moments(mean, np.sqrt(self._variance * np.maximum(variance, 0.0)))


def encoder(space: SearchSpace, encoding: str, who: str, *, paths: int | None = None) -> Any:
    """The encoding of that name, made for ``space``; of ``paths`` the most frequent."""
    one_of_these(who, "encoding", encoding, ENCODINGS)
    return Paths(space, most=paths) if encoding == "paths" else ENCODINGS[encoding](space)
