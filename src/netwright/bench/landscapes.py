"""Landscape: what a table is like as a place to search in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.bench.measures import Measure, read_objectives
from netwright.errors import InputError, SpaceError

if TYPE_CHECKING:
    from netwright.architecture import Architecture
    from netwright.evaluators.tables import Table

WALKS, STEPS, LAGS = 40, 250, 12
LOOKED = 1_000
"""Neighbourhoods are looked at whole; in a larger table those of so many rows, drawn."""
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
BINS = 40


@final
@dataclass(frozen=True)
class Landscape:
    """The statistics of one measure over a table.

    ``quantiles`` and ``histogram`` are of all values. ``autocorrelation`` is that of random walks of single mutations,
    at lag 1, 2, …; ``correlation_length`` is −1 / ln of the first (Weinberger 1990), None where that is not above 0.
    ``neighbours`` has the least, median and largest number of neighbours among ``looked`` rows, and ``optima`` is the
    share of those without a better neighbour. ``distance_correlation`` is the correlation of the values with the
    number of decisions in which a row differs from the nearest of the best rows (Jones and Forrest 1995): where
    larger is better, −1 leads straight to the best, 0 is no help, above it leads astray. None where one is constant.
    """

    table: str
    measure: Measure
    size: int
    mean: float
    deviation: float
    quantiles: dict[float, float]
    histogram: tuple[tuple[float, ...], tuple[int, ...]]
    best_rows: int
    autocorrelation: tuple[float, ...]
    correlation_length: float | None
    neighbours: tuple[int, float, int]
    looked: int
    optima: float
    distance_correlation: float | None

    def to_value(self) -> dict[str, Any]:
        """The statistics as JSON."""
        return {
            "table": self.table,
            "metric": self.measure.name,
            "size": self.size,
            "mean": self.mean,
            "deviation": self.deviation,
            "quantiles": {f"{share:g}": value for share, value in self.quantiles.items()},
            "histogram": {"edges": list(self.histogram[0]), "counts": list(self.histogram[1])},
            "best_rows": self.best_rows,
            "autocorrelation": list(self.autocorrelation),
            "correlation_length": self.correlation_length,
            "neighbours": dict(zip(("least", "median", "most"), self.neighbours, strict=True)),
            "looked": self.looked,
            "local_optima": self.optima,
            "distance_correlation": self.distance_correlation,
        }

    def __str__(self) -> str:
        from netwright.bench.text import describe_landscape

        return describe_landscape(self)


def landscape(
    table: Table | str, maximize: str | None = None, *, minimize: str | None = None, seed: int = 0
) -> Landscape:
    """The statistics of a metric (``metric@fidelity``) over a table; what is drawn follows from ``seed``.

    Without a metric it is the one that a bench would search. InputError for both ``maximize`` and ``minimize``.
    """
    from netwright.bench.race import opened

    if maximize is not None and minimize is not None:
        raise InputError("the statistics of a table are of one metric, found two", hint="Keep one of the two")
    table = opened(table)
    (measure,) = read_objectives(table, *(() if text is None else (text,) for text in (maximize, minimize)))
    return describe_measure(table, measure, seed)


def describe_measure(table: Table, measure: Measure, seed: int = 0) -> Landscape:
    """The statistics of ``measure`` over ``table``."""
    values = measure.values(table)
    rng = np.random.default_rng(seed)
    best = np.flatnonzero(values == (values.max() if measure.sign > 0 else values.min()))
    counts, edges = np.histogram(values, bins=BINS)
    whole = len(values) <= LOOKED
    looked = np.arange(len(values)) if whole else np.sort(rng.choice(len(values), LOOKED, replace=False))
    sizes, optima = _neighbourhoods(table, measure.sign * values, looked)
    correlations = autocorrelation(_walks(table, values, rng), LAGS)
    first = correlations[0] if correlations else 0.0
    return Landscape(
        table=table.name,
        measure=measure,
        size=len(values),
        mean=float(values.mean()),
        deviation=float(values.std()),
        quantiles={share: float(np.quantile(values, share)) for share in QUANTILES},
        histogram=(tuple(float(edge) for edge in edges), tuple(int(count) for count in counts)),
        best_rows=len(best),
        autocorrelation=tuple(correlations),
        correlation_length=-1 / math.log(first) if 0 < first < 1 else None,
        neighbours=(int(sizes.min()), float(np.median(sizes)), int(sizes.max())),
        looked=len(looked),
        optima=float(optima.mean()),
        distance_correlation=distance_correlation(table.choices, values, best),
    )


def autocorrelation(walks: NDArray[np.float64], lags: int) -> list[float]:
    """The correlation of values so many steps apart, for 1 to ``lags`` steps, over all walks (walks, steps) at once.

    Empty where the values never change.
    """
    centred = walks - walks.mean()
    variance = float(np.square(centred).mean())
    if variance == 0:
        return []
    most = min(lags, walks.shape[1] - 1)
    return [float((centred[:, :-lag] * centred[:, lag:]).mean() / variance) for lag in range(1, most + 1)]


def distance_correlation(
    choices: NDArray[np.int16], values: NDArray[np.float64], best: NDArray[np.intp]
) -> float | None:
    """The correlation of each row's value with its distance from the nearest of the best rows."""
    distances = np.full(len(choices), np.iinfo(np.int64).max)
    for row in best[:LOOKED]:
        np.minimum(distances, (choices != choices[row]).sum(axis=1), out=distances)
    if np.ptp(distances) == 0 or np.ptp(values) == 0:
        return None
    return float(np.corrcoef(values, distances)[0, 1])


def _neighbourhoods(
    table: Table, scores: NDArray[np.float64], rows: NDArray[np.intp]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """How many neighbours each row has, and whether none of them is better."""
    sizes = np.zeros(len(rows), dtype=np.int64)
    optima = np.ones(len(rows), dtype=np.bool_)
    for index, row in enumerate(rows):
        around = table.rows(table.space.neighbours(table.architecture(int(row))))
        sizes[index] = len(around)
        optima[index] = not np.any(scores[around] > scores[row])
    return sizes, optima


def _walks(table: Table, values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """The values along random walks, each from a row drawn uniformly, a mutation a step."""
    found = np.empty((WALKS, STEPS))
    for walk in found:
        architecture: Architecture = table.architecture(int(rng.integers(len(values))))
        for step in range(STEPS):
            walk[step] = values[table.row(architecture)]
            try:
                architecture = table.space.mutate(architecture, rng)
            except SpaceError:  # it has no neighbour: the walk stays where it is
                pass
    return found
