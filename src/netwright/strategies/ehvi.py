"""Expected hypervolume improvement: by how much a candidate is expected to enlarge what a front dominates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netwright import pareto

Floats = NDArray[np.float64]


def expected_hypervolume_improvement(mean: Floats, spread: Floats, points: Floats, reference: Floats) -> Floats:
    """For each candidate the expected volume that it adds to what ``points`` dominate above ``reference``; exact.

    ``mean`` and ``spread`` (candidates, objectives) are those of independent normal scores, ``points`` (n, objectives)
    the scores known so far; larger is better, and all of the reference is to be beaten. What a candidate y adds within
    a box of what is not dominated yet is the product over the objectives of max(min(y, upper) − lower, 0), whose
    expectation is a difference of two expected improvements (Emmerich, Deutz and Klinkenberg 2011; Yang et al. 2019).
    """
    lower, upper = boxes(points, reference)
    found = np.ones((len(mean), len(lower)))
    for place in range(mean.shape[1]):
        gains = expected_excess(mean[:, place, None], spread[:, place, None], lower[None, :, place])
        finite = np.isfinite(upper[:, place])
        if finite.any():
            tops = upper[finite, place][None, :]
            gains[:, finite] -= expected_excess(mean[:, place, None], spread[:, place, None], tops)
        found *= np.maximum(gains, 0.0)
    total: Floats = found.sum(axis=1)
    return total


def expected_excess(mean: Floats, spread: Floats, level: Floats) -> Floats:
    """E max(y − level, 0) of normal y."""
    from scipy.special import ndtr

    above = (mean - level) / spread
    excess: Floats = spread * (above * ndtr(above) + np.exp(-0.5 * above**2) / np.sqrt(2 * np.pi))
    return excess


def boxes(points: Floats, reference: Floats) -> tuple[Floats, Floats]:
    """What is above ``reference`` and not dominated by ``points``, as boxes that share no volume: lower, upper corners.

    It is cut at the values of the last objective; each slab is what is left of the others for the points above it.
    """
    kept = points[(points > reference).all(axis=1)]
    if len(kept):
        kept = np.unique(kept[pareto.front(kept)], axis=0)
    corners = _cut(kept, np.asarray(reference, dtype=np.float64))
    lower, upper = (np.array([corner[side] for corner in corners]) for side in (0, 1))
    return lower, upper


def _cut(points: Floats, reference: Floats) -> list[tuple[tuple[float, ...], tuple[float, ...]]]:
    if len(reference) == 1:
        highest = float(points.max()) if len(points) else float(reference[0])
        return [((highest,), (np.inf,))]
    levels = [float(reference[-1]), *np.unique(points[:, -1]).tolist()]
    found = []
    for low, high in zip(levels, [*levels[1:], np.inf], strict=True):
        above = points[points[:, -1] >= high] if np.isfinite(high) else points[:0]
        for lower, upper in _cut(above[:, :-1], reference[:-1]):
            found.append(((*lower, low), (*upper, high)))
    return found
