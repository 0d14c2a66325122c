"""The one split of a study's data: training, validation, selection, held-out test."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from netwright.errors import DataError, InputError

Array = np.ndarray[Any, Any]
Integers = np.ndarray[Any, np.dtype[np.int64]]

TEST, SELECTION, VALIDATION = 0.2, 0.15, 0.2


@dataclass(frozen=True, eq=False)
class Split:
    """Sorted indices, disjoint, which together are all the examples.

    The search trains on ``train`` and is scored on ``validation``; finalists are compared on ``selection``, which the
    search never saw; the verdict is on ``test``, which nothing saw (empty where a test set was given).

    ``between`` are examples that share something with two of the first three parts, such as steps in time: where one of
    these judges, no network trains on them, but a finished one may.

    ``origins`` is for examples in an order, where a cross-validation may not look ahead: a row an origin, in it a 1 for
    each example from before, on which a network may train, and a 2 for those after it, which judge that network. None
    is of the test.
    """

    train: Integers
    validation: Integers
    selection: Integers
    test: Integers
    between: Integers = field(default_factory=lambda: np.zeros(0, np.int64))
    origins: Array = field(default_factory=lambda: np.zeros((0, 0), np.int8))

    @cached_property
    def search(self) -> Integers:
        """What the search may see: training and validation."""
        return np.sort(np.concatenate([self.train, self.validation]))

    @cached_property
    def development(self) -> Integers:
        """All but the test: what a finished network may be trained on."""
        return np.sort(np.concatenate([self.train, self.validation, self.selection, self.between]))

    def __len__(self) -> int:
        return sum(map(len, (self.train, self.validation, self.selection, self.test, self.between)))


def split(
    y: Array,
    seed: int,
    *,
    test: float = TEST,
    selection: float = SELECTION,
    validation: float = VALIDATION,
    stratify: bool | None = None,
) -> Split:
    """Splits by ``seed`` alone; the same seed and targets give the same split.

    Each fraction is of what those before it left, in the order test, selection, validation; ``test=0`` is for data
    with a test set of their own. ``stratify`` keeps the classes' proportions, to within one example, and is read off
    ``y`` where it is not given (whole numbers: yes). A class's last remaining member always stays in training, so no
    class is met first in a test. A part with a fraction above 0 gets at least one example.
    """
    for name, fraction in (("test", test), ("selection", selection), ("validation", validation)):
        if not 0 <= fraction < 1:
            raise InputError(f"split: {name} is a fraction of at least 0 and less than 1, found {fraction!r}")
    y = np.asarray(y)
    parts = sum(fraction > 0 for fraction in (test, selection, validation))
    if len(y) <= parts:
        raise DataError(f"{len(y)} examples cannot be split into {parts + 1} parts", hint="Give more examples")
    if stratify is None:
        stratify = bool(np.issubdtype(y.dtype, np.integer)) and y.ndim == 1
    groups = np.unique(y, return_inverse=True)[1] if stratify else np.zeros(len(y), dtype=np.int64)
    rng = np.random.default_rng(seed)
    rest = rng.permutation(len(y))
    taken: list[Integers] = []
    for fraction in (test, selection, validation):
        part, rest = _take(rest, groups, fraction, rng)
        taken.append(np.sort(part))
    if len(taken[2]) == 0 and validation > 0:
        raise DataError(
            f"{len(y)} examples in {int(groups.max()) + 1} classes leave none to validate on", hint="Give more examples"
        )
    return Split(train=np.sort(rest), validation=taken[2], selection=taken[1], test=taken[0])


def folds(y: Array, places: Integers, count: int, seed: int, *, stratify: bool | None = None) -> tuple[Integers, ...]:
    """``places`` dealt into so many parts of nearly the same size, sorted, disjoint; by ``seed`` alone.

    With ``stratify`` (as for :func:`split`) each class is dealt on its own, the next one from where the last one ended.
    Raises DataError for fewer places than parts.
    """
    if not 2 <= count <= len(places):
        raise DataError(f"{len(places)} examples cannot be dealt into {count} parts")
    y = np.asarray(y)[places]
    if stratify is None:
        stratify = bool(np.issubdtype(y.dtype, np.integer)) and y.ndim == 1
    order = np.random.default_rng(seed).permutation(len(places))
    if stratify:
        order = order[np.argsort(y[order], kind="stable")]
    return tuple(np.sort(places[order[first::count]]) for first in range(count))


def _take(rest: Integers, groups: Integers, fraction: float, rng: np.random.Generator) -> tuple[Integers, Integers]:
    """The first members of each group, in the (random) order of ``rest``, and what is left."""
    if fraction == 0:
        return rest[:0], rest
    sizes = np.bincount(groups[rest], minlength=int(groups.max()) + 1).astype(np.int64)
    quotas = _quotas(sizes, fraction, rng)
    order = np.argsort(groups[rest], kind="stable")
    place = np.empty(len(rest), dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    place[order] = np.arange(len(rest)) - np.repeat(starts, sizes)
    chosen = place < quotas[groups[rest]]
    return rest[chosen], rest[~chosen]


def _quotas(sizes: Integers, fraction: float, rng: np.random.Generator) -> Integers:
    """How many each group gives: its share rounded down, then one more by the largest remainders, drawn at ties.

    No group gives its last member.
    """
    wanted = max(1, round(fraction * int(sizes.sum())))
    limits = np.maximum(sizes - 1, 0)
    shares = fraction * sizes
    quotas: Integers = np.minimum(np.floor(shares).astype(np.int64), limits)
    ties = rng.permutation(len(sizes))
    by_remainder = np.lexsort((ties, -(shares - np.floor(shares))))
    for group in by_remainder:
        if quotas.sum() >= wanted:
            break
        if quotas[group] < limits[group]:
            quotas[group] += 1
    return quotas
