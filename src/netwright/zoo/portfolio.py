"""Known-good starts that this project's own searches find: ``portfolio.json``, with where they come from.

``benchmarks/make_portfolio.py`` makes the file: it searches many data sets, trains what was best anywhere on all of
them, and takes, one after the other, the architecture that most improves the best of those taken so far, on average
over the data sets (greedy, as in Feurer et al. 2015). A search tries them after the starts that were chosen by hand.
The file says what they are worth on data sets that they were chosen without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright import strict_json
from netwright.architecture import Architecture
from netwright.errors import InputError

SCHEMA = 1


@cache
def read_portfolio() -> Mapping[str, Any]:
    """The whole file: ``schema``, and ``spaces`` by name, each with its ``starts`` and how they were made.

    InputError for one of another version.
    """
    file = files("netwright.zoo") / "portfolio.json"
    value: dict[str, Any] = strict_json.loads(file.read_bytes(), what="portfolio.json")
    if value.get("schema") != SCHEMA:
        raise InputError(f"portfolio.json is of version {value.get('schema')!r}, version {SCHEMA} is read")
    return value


def starts_of(space: str) -> tuple[Mapping[str, Any], ...]:
    """The starts for the space of this name, the first one first; none where no search was made for it."""
    starts = read_portfolio()["spaces"].get(space, {}).get("starts", ())
    return tuple(dict(Architecture.from_value(start)) for start in starts)


def greedy(scores: NDArray[np.float64], count: int) -> list[int]:
    """Which columns of ``scores`` (data sets, architectures) complement each other, the first one first.

    Each row is brought to 0 (its worst) to 1 (its best) before; then the column is taken with which the mean over the
    rows of the best taken so far is largest, of equal ones the better alone. It ends early where nothing improves.
    InputError where a score is not finite.
    """
    worth = _worth(scores)
    alone = worth.mean(0)
    best = np.full(len(worth), -np.inf)
    taken: list[int] = []
    while len(taken) < min(count, worth.shape[1]):
        gain = np.maximum(best[:, None], worth).mean(0)
        gain[taken] = -np.inf
        place = int(np.lexsort((-alone, -gain))[0])
        if taken and gain[place] <= best.mean() + 1e-12:
            break
        taken.append(place)
        best = np.maximum(best, worth[:, place])
    return taken


def left_out(scores: NDArray[np.float64], owners: Sequence[int], count: int) -> NDArray[np.float64]:
    """What starts are worth on each data set that were chosen without it: 0 for the worst there, 1 for the best.

    ``owners`` says of each column on which data set (row) it was found: those that were found on the one that is left
    out are none of its candidates. InputError as for :func:`greedy`, and where nothing is left to choose from.
    """
    worth, found_on = _worth(scores), np.asarray(owners)
    apart = []
    for place in range(len(worth)):
        others, columns = np.arange(len(worth)) != place, np.flatnonzero(found_on != place)
        if not others.any() or not len(columns):
            raise InputError("without one data set there is none, or no architecture found on another")
        taken = greedy(np.asarray(scores)[np.ix_(others, columns)], count)
        apart.append(worth[place, columns[taken]].max())
    return np.array(apart)


def _worth(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row from 0 (its worst) to 1 (its best)."""
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 2 or not scores.size or not np.isfinite(scores).all():
        raise InputError("scores are a finite number for each data set and architecture")
    low, high = scores.min(1, keepdims=True), scores.max(1, keepdims=True)
    worth: NDArray[np.float64] = (scores - low) / np.where(high > low, high - low, 1.0)
    return worth
