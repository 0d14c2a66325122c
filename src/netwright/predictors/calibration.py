"""Honest spreads for ensembles.

The members of an ensemble agree on more than they know: their standard deviation leaves out the noise of the scores
and what all of them get wrong alike. What they say of examples that none of them has seen tells how much is missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FEW = 5
"""With fewer unseen examples the errors' mean square is taken for every spread."""


@dataclass(frozen=True)
class Calibration:
    """variance = ``factor`` · (variance of the members) + ``floor``."""

    factor: float = 1.0
    floor: float = 0.0

    def __call__(self, spread: Floats) -> Floats:
        """Spreads of members as standard deviations of what will be measured."""
        calibrated: Floats = np.sqrt(self.factor * spread**2 + self.floor)
        return calibrated


def calibrated(errors: Floats, spreads: Floats) -> Calibration:
    """The factor and floor under which ``errors`` on unseen examples are likeliest, normal with these ``spreads``."""
    known = np.isfinite(errors) & np.isfinite(spreads)
    errors, spreads = errors[known], spreads[known]
    square = float(np.mean(errors**2)) if len(errors) else 1.0
    if len(errors) < FEW or square == 0.0 or not spreads.any():
        return Calibration(0.0, square)
    from scipy.optimize import minimize

    squares, variances = errors**2 / square, spreads**2 / float(np.mean(spreads**2))

    def surprise(logs: Floats) -> tuple[float, Floats]:
        factor, floor = np.exp(logs)
        total = factor * variances + floor
        slope = 0.5 * (1 / total - squares / total**2) / len(errors)
        return float(np.mean(0.5 * (np.log(total) + squares / total))), np.array(
            [factor * (slope @ variances), floor * slope.sum()]
        )

    starts = [np.log([share, 1 - share]) for share in (0.1, 0.9)]
    found = [minimize(surprise, start, jac=True, method="L-BFGS-B", bounds=[(-9, 4), (-9, 4)]) for start in starts]
    factor, floor = np.exp(min(found, key=lambda one: float(one.fun)).x) * square
    return Calibration(float(factor / np.mean(spreads**2)), float(floor))


def folds(count: int, parts: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The number of the fold of each example, as equal in size as can be, in random order."""
    return rng.permutation(np.arange(count) % parts)
