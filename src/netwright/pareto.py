"""Several objectives at once: dominance, fronts, ranks, crowding, hypervolume, knee.

Points are arrays of shape (points, objectives) and finite. ``directions`` says for each objective ``"maximize"`` or
``"minimize"``; without it every objective is maximized. Equal points do not dominate each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netwright.errors import InputError

__all__ = ["crowding", "dominates", "front", "hypervolume", "knee", "ranks"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


def dominates(a: ArrayLike, b: ArrayLike, directions: Sequence[str] | None = None) -> bool:
    """Whether ``a`` is nowhere worse than ``b`` and somewhere better."""
    costs = _costs([a, b], directions)
    return bool(np.all(costs[0] <= costs[1]) and np.any(costs[0] < costs[1]))


def front(points: ArrayLike, directions: Sequence[str] | None = None) -> Indices:
    """The indices of the points that no other dominates, ascending.

    In lexicographic order a point can be dominated by earlier points alone, so one pass against the front so far is
    enough: O(points × front), with memory for the front only.
    """
    costs = _costs(points, directions)
    kept = _Layer(costs.shape[1])
    for index in _lexicographic(costs):
        if not kept.dominates(costs[index]):
            kept.add(index, costs[index])
    return np.sort(np.array(kept.indices, dtype=np.intp))


def ranks(points: ArrayLike, directions: Sequence[str] | None = None) -> NDArray[np.int64]:
    """The rank of each point: 0 for the front, 1 for the front of what is left without it, and so on.

    The efficient non-dominated sort with sequential search of Zhang et al. 2015; the same ranks as the fast
    non-dominated sort of Deb et al. 2002.
    """
    costs = _costs(points, directions)
    if costs.shape[1] == 1:
        return np.unique(costs[:, 0], return_inverse=True)[1].astype(np.int64)
    layers: list[_Layer] = []
    result = np.zeros(len(costs), dtype=np.int64)
    for index in _lexicographic(costs):
        rank = next((rank for rank, layer in enumerate(layers) if not layer.dominates(costs[index])), len(layers))
        if rank == len(layers):
            layers.append(_Layer(costs.shape[1]))
        layers[rank].add(index, costs[index])
        result[index] = rank
    return result


def crowding(points: ArrayLike) -> Floats:
    """The crowding distance of each point of one front (Deb et al. 2002): ∞ at the extremes of each objective.

    An objective in which all points are equal adds nothing. Among equal values the order of the points decides.
    """
    values = _matrix(points)
    distances = np.zeros(len(values))
    if len(values) <= 2:
        distances[:] = np.inf
        return distances
    for column in values.T:
        order = np.argsort(column, kind="stable")
        ordered = column[order]
        span = ordered[-1] - ordered[0]
        if span > 0:
            distances[order[1:-1]] += (ordered[2:] - ordered[:-2]) / span
            distances[order[[0, -1]]] = np.inf
    return distances


def hypervolume(points: ArrayLike, reference: ArrayLike, directions: Sequence[str] | None = None) -> float:
    """The volume that the points dominate and that dominates ``reference``; 0 for no points. Computed by moocore.

    A point that is not better than the reference in every objective adds nothing.
    """
    import moocore

    worst = np.asarray(reference, dtype=np.float64)
    values = np.asarray(points, dtype=np.float64)
    if values.size == 0:
        return 0.0
    costs = _costs(values, directions)
    if worst.shape != (costs.shape[1],) or not np.all(np.isfinite(worst)):
        raise InputError(f"the reference is {costs.shape[1]} finite numbers, one an objective, found {reference!r}")
    limit = worst * _signs(costs.shape[1], directions)
    return float(moocore.hypervolume(costs, ref=limit))


def knee(points: ArrayLike, directions: Sequence[str] | None = None) -> int:
    """The index of the front's point where a little more of one objective begins to cost much of another.

    Each objective is scaled to [0, 1] over the front, 0 its best; the knee has the smallest sum. With two objectives
    that is the point farthest, towards the ideal, from the line through the two extremes (Das 1999). Of equals the
    first.
    """
    costs = _costs(points, directions)
    candidates = front(costs, ["minimize"] * costs.shape[1])
    if len(candidates) == 0:
        raise InputError("a knee needs at least one point, found none")
    chosen = costs[candidates]
    span = np.ptp(chosen, axis=0)
    scaled = (chosen - chosen.min(axis=0)) / np.where(span > 0, span, 1.0)
    return int(candidates[np.argmin(scaled.sum(axis=1))])


class _Layer:
    """Points that do not dominate each other, in an array that doubles as it fills."""

    def __init__(self, objectives: int) -> None:
        self.indices: list[int] = []
        self._costs = np.empty((8, objectives))

    def add(self, index: int, cost: Floats) -> None:
        if len(self.indices) == len(self._costs):
            self._costs = np.concatenate([self._costs, np.empty_like(self._costs)])
        self._costs[len(self.indices)] = cost
        self.indices.append(index)

    def dominates(self, cost: Floats) -> bool:
        """Whether a point of the layer dominates ``cost``."""
        members = self._costs[: len(self.indices)]
        return bool(np.any(np.all(members <= cost, axis=1) & np.any(members < cost, axis=1)))


def _lexicographic(costs: Floats) -> list[int]:
    order: list[int] = np.lexsort(costs.T[::-1]).tolist()
    return order


def _matrix(points: ArrayLike) -> Floats:
    values = np.asarray(points, dtype=np.float64)
    if values.ndim != 2:
        raise InputError(f"points are an array of shape (points, objectives), found the shape {values.shape}")
    if values.shape[1] == 0:
        raise InputError("points need at least one objective, found none")
    if not np.all(np.isfinite(values)):
        row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        raise InputError(f"point {row} is not finite: {values[row].tolist()}. Leave out what has no score")
    return values


def _costs(points: Any, directions: Sequence[str] | None) -> Floats:
    values = _matrix(points)
    return values * _signs(values.shape[1], directions)


def _signs(objectives: int, directions: Sequence[str] | None) -> Floats:
    if directions is None:
        return np.full(objectives, -1.0)
    unknown = [direction for direction in directions if direction not in ("maximize", "minimize")]
    if unknown or len(directions) != objectives:
        raise InputError(
            f"directions are {objectives} times 'maximize' or 'minimize', one an objective, found {list(directions)}"
        )
    return np.array([1.0 if direction == "minimize" else -1.0 for direction in directions])
