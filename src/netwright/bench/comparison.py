"""Comparison: what the runs of a bench come to, in numbers. Rows first; text, pictures and page are made from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from netwright import statistics
from netwright.bench.measures import HYPERVOLUME, Measure
from netwright.bench.race import PROCESSOR
from netwright.statistics import Bands, Friedman

if TYPE_CHECKING:
    from netwright.bench.landscapes import Landscape
    from netwright.errors import MissingExtra
    from netwright.evaluators.tables import Table

Floats = NDArray[np.float64]

FINE = 2_000
"""A curve has so many points at most; up to as many queries it is exact."""
LEVEL = 0.95
POWER = 0.8


def query_points(queries: int) -> list[int]:
    """The query counts that a bench reports: 10, 25, 50, 100, 200, 500 … below ``queries``, and ``queries``."""
    usual = (10, 25, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
    return [point for point in usual if point < queries] + [queries]


def query_grid(queries: int) -> NDArray[np.int64]:
    """The queries at which curves are known: all of them, or an even selection that holds the reported ones."""
    if queries <= FINE:
        return np.arange(1, queries + 1)
    even = np.linspace(1, queries, FINE).round().astype(np.int64)
    return np.unique(np.concatenate([even, np.array(query_points(queries))]))


@final
@dataclass(frozen=True)
class Runs:
    """The runs of one strategy. ``rows`` is (runs, grid): the incumbent's row in the table, −1 before there is one.

    ``volumes`` is the same for the hypervolume, where several metrics are searched. ``used`` has what the runs used,
    an array by name; ``seconds`` is their wall time.
    """

    strategy: str
    seeds: tuple[int, ...]
    rows: NDArray[np.int64]
    volumes: Floats | None
    used: Mapping[str, Floats]
    seconds: Floats
    failed: int = 0

    @property
    def own(self) -> Floats:
        """The processor time of each run here, or its wall time where that is not known."""
        return np.asarray(self.used.get(PROCESSOR, self.seconds))

    @classmethod
    def of(cls, strategy: str, facts: Sequence[Mapping[str, Any]], queries: int, failed: int = 0) -> Runs:
        """From the facts of each run: its ``seed``, ``steps`` (query, incumbent), ``metrics`` and ``seconds``."""
        grid = query_grid(queries)
        rows = np.full((len(facts), len(grid)), -1, dtype=np.int64)
        several = any(HYPERVOLUME in fact["metrics"] for fact in facts)
        volumes = np.zeros((len(facts), len(grid))) if several else None
        for index, fact in enumerate(facts):
            steps = fact["steps"]
            place = np.searchsorted([step for step, _ in steps], grid, side="right") - 1
            there = place >= 0
            rows[index, there] = np.array([incumbent["row"] for _, incumbent in steps], dtype=np.int64)[place[there]]
            if volumes is not None:
                volumes[index, there] = np.array([incumbent[HYPERVOLUME] for _, incumbent in steps])[place[there]]
        names = {name for fact in facts for name in fact["metrics"]} - {"searched", HYPERVOLUME}
        used = {name: np.array([float(fact["metrics"].get(name, 0.0)) for fact in facts]) for name in sorted(names)}
        seconds = np.array([float(fact["seconds"]) for fact in facts])
        return cls(strategy, tuple(int(fact["seed"]) for fact in facts), rows, volumes, used, seconds, failed)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two strategies after so many queries. ``effect`` (A12) is the chance that a run of ``a`` is ahead of one of
    ``b``; ``mean`` the paired difference over their common seeds, above zero where ``a`` is ahead.

    ``p`` is Mann and Whitney's, ``paired_p`` the paired bootstrap's; each with Holm's correction over all pairs and
    query counts of the bench. ``needed`` is the number of seeds that a paired test of this difference would need.
    """

    a: str
    b: str
    queries: int
    p: float
    p_holm: float
    effect: float
    mean: float
    low: float
    high: float
    paired_p: float
    paired_p_holm: float
    seeds: int
    needed: int | None

    def to_value(self) -> dict[str, Any]:
        """The test as JSON."""
        return {
            "a": self.a,
            "b": self.b,
            "queries": self.queries,
            "p": self.p,
            "p_holm": self.p_holm,
            "effect": self.effect,
            "difference": {"mean": self.mean, "low": self.low, "high": self.high},
            "paired_p": self.paired_p,
            "paired_p_holm": self.paired_p_holm,
            "seeds": self.seeds,
            "seeds_needed": self.needed,
        }


@final
class Comparison:
    """The whole result of a bench: curves, intervals, tests, ranks.

    ``judged`` is None where the hypervolume is. Larger is not always better: ``sign`` turns the score so.
    """

    def __init__(
        self,
        table: Table,
        objectives: tuple[Measure, ...],
        judged: Measure | None,
        queries: int,
        seeds: int,
        workers: int,
        runs: Mapping[str, Runs],
        folder: Path | None = None,
        command: str | None = None,
    ) -> None:
        self.table = table
        self.objectives = objectives
        self.judged = judged
        self.queries = queries
        self.seeds = seeds
        self.workers = workers
        self.runs = dict(runs)
        self.folder = folder
        self.command = command
        self.missing: MissingExtra | None = None
        """Why no pictures were drawn, where they were to be written and were not."""
        self.written: tuple[str, ...] = ()
        """The files that were written into the folder, beside the studies of the runs."""
        self.grid = query_grid(queries)
        self.points = query_points(queries)

    @property
    def searched_name(self) -> str:
        return ", ".join(f"{'' if one.sign > 0 else 'least '}{one.name}" for one in self.objectives)

    @property
    def score_name(self) -> str:
        return HYPERVOLUME if self.judged is None else self.judged.name

    @property
    def sign(self) -> float:
        """1 where a larger score is better, −1 where a smaller one is."""
        return 1.0 if self.judged is None else self.judged.sign

    # Curves

    @cached_property
    def scores(self) -> dict[str, Floats]:
        """The score of the incumbent of each run at each point of the grid, (runs, grid), in its own unit.

        A run that has nothing yet has the worst score of the table.
        """
        return {name: self._curves(runs, self.judged) for name, runs in self.runs.items()}

    @cached_property
    def best_score(self) -> float:
        """The best score in the whole table."""
        return 1.0 if self.judged is None else _best(self.judged, self.table)

    @cached_property
    def regrets(self) -> dict[str, Floats]:
        """How far the incumbent's score is from the best of the whole table, at least 0."""
        return {name: self.sign * (self.best_score - curves) for name, curves in self.scores.items()}

    @cached_property
    def searched_regrets(self) -> dict[str, Floats]:
        """The same for the first searched metric (for several of them it is the score's)."""
        if len(self.objectives) > 1:
            return self.regrets
        first = self.objectives[0]
        best = _best(first, self.table)
        return {name: first.sign * (best - self._curves(runs, first)) for name, runs in self.runs.items()}

    def _curves(self, runs: Runs, measure: Measure | None) -> Floats:
        if measure is None:
            assert runs.volumes is not None
            return runs.volumes
        values = measure.values(self.table)
        worst = float(values.min() if measure.sign > 0 else values.max())
        return np.append(values, worst)[runs.rows]

    @cached_property
    def bands(self) -> dict[str, Bands]:
        """The mean score with its interval at each point of the grid."""
        return {name: _bands(curves) for name, curves in self.scores.items()}

    @cached_property
    def searched_regret_bands(self) -> dict[str, Bands]:
        """The mean regret of what was searched with its interval, at each point of the grid."""
        return {name: _bands(curves) for name, curves in self.searched_regrets.items()}

    @cached_property
    def regret_bands(self) -> dict[str, Bands]:
        """The mean regret of the score with its interval: the score's own, seen from the best of the table."""
        return {
            name: Bands(
                self.sign * (self.best_score - band.mean),
                self.sign * (self.best_score - (band.high if self.sign > 0 else band.low)),
                self.sign * (self.best_score - (band.low if self.sign > 0 else band.high)),
            )
            for name, band in self.bands.items()
        }

    @cached_property
    def areas(self) -> dict[str, Floats]:
        """The area under each run's curve, divided by the queries: the mean score of the incumbent over the search."""
        widths = np.diff(np.append(self.grid, self.queries + 1)).astype(np.float64)
        return {name: curves @ widths / self.queries for name, curves in self.scores.items()}

    @cached_property
    def at(self) -> NDArray[np.int64]:
        """Where the reported query counts stand in the grid."""
        return np.searchsorted(self.grid, self.points)

    # Tests

    @cached_property
    def tests(self) -> list[Pair]:
        """Every pair of strategies at every reported query count."""
        pairs = list(combinations(self.runs, 2))
        cells = len(pairs) * len(self.points)
        # Holm multiplies the smallest p by the number of cells: draws enough that this stays below 1 %.
        draws = int(min(200_000, max(10_000, 100 * cells)))
        found: list[dict[str, Any]] = []
        for a, b in pairs:
            common = sorted(set(self.runs[a].seeds) & set(self.runs[b].seeds))
            left, right = self._paired(a, common), self._paired(b, common)
            paired = statistics.paired_tests(left, right, draws=draws, level=LEVEL) if common else None
            for index, queries in enumerate(self.points):
                column = self.at[index]
                ranked = statistics.mann_whitney(
                    self.sign * self.scores[a][:, column], self.sign * self.scores[b][:, column]
                )
                test = None if paired is None else paired[index]
                spread = float(np.std(left[:, index] - right[:, index], ddof=1)) if len(common) > 1 else 0.0
                needed = (
                    None if test is None or len(common) < 2 else statistics.pairs_needed(test.mean, spread, power=POWER)
                )
                found.append(
                    {
                        "a": a,
                        "b": b,
                        "queries": queries,
                        "p": ranked.p,
                        "effect": ranked.effect,
                        "mean": 0.0 if test is None else test.mean,
                        "low": 0.0 if test is None else test.low,
                        "high": 0.0 if test is None else test.high,
                        "paired_p": 1.0 if test is None else test.p,
                        "seeds": len(common),
                        "needed": needed,
                    }
                )
        corrected = statistics.holm([one["p"] for one in found])
        paired_corrected = statistics.holm([one["paired_p"] for one in found])
        return [
            Pair(**one, p_holm=p, paired_p_holm=paired_p)
            for one, p, paired_p in zip(found, corrected, paired_corrected, strict=True)
        ]

    def test(self, a: str, b: str, queries: int) -> Pair:
        """One of the tests, in the order in which it was made."""
        return next(one for one in self.tests if {one.a, one.b} == {a, b} and one.queries == queries)

    def wins(self, a: str, b: str, queries: int | None = None) -> float:
        """The chance that a run of ``a`` is ahead of one of ``b`` after so many queries (the last by default)."""
        if a == b:
            return 0.5
        test = self.test(a, b, queries or self.queries)
        return test.effect if test.a == a else 1 - test.effect

    @cached_property
    def common(self) -> list[int]:
        """The seeds that every strategy has finished."""
        return sorted(set.intersection(*(set(runs.seeds) for runs in self.runs.values())))

    @cached_property
    def ranking(self) -> Friedman | None:
        """Friedman's test over the common seeds at the last query; None for fewer than two strategies or seeds."""
        if len(self.runs) < 2 or len(self.common) < 2:
            return None
        return statistics.friedman(np.stack([self._paired(name, self.common)[:, -1] for name in self.runs], axis=1))

    @cached_property
    def critical_distance(self) -> float | None:
        """Nemenyi's distance: mean ranks at least so far apart differ."""
        if self.ranking is None:
            return None
        return statistics.critical_distance(len(self.runs), len(self.common), level=LEVEL)

    @cached_property
    def groups(self) -> list[tuple[str, ...]]:
        """The largest groups of strategies whose ranks do not differ."""
        if self.ranking is None or self.critical_distance is None:
            return []
        names = list(self.runs)
        return [
            tuple(names[index] for index in group)
            for group in statistics.indistinguishable(self.ranking.ranks, self.critical_distance)
        ]

    def rank(self, name: str) -> float | None:
        """The mean rank of a strategy over the seeds at the last query, 1 being the best."""
        return None if self.ranking is None else self.ranking.ranks[list(self.runs).index(name)]

    def order(self) -> list[str]:
        """The strategies, the best mean score at the last query first."""
        return sorted(self.runs, key=lambda name: -self.sign * float(self.bands[name].mean[-1]))

    def _paired(self, name: str, seeds: Sequence[int]) -> Floats:
        """The signed scores of these seeds at the reported query counts."""
        places = {seed: index for index, seed in enumerate(self.runs[name].seeds)}
        curves = self.sign * self.scores[name][:, self.at]
        return curves[[places[seed] for seed in seeds]]

    @cached_property
    def landscape(self) -> Landscape:
        """The statistics of the first searched metric over the table."""
        from netwright.bench.landscapes import describe_measure

        return describe_measure(self.table, self.objectives[0])

    def __str__(self) -> str:
        from netwright.bench.text import describe

        return describe(self)

    # What it is as JSON

    def to_value(self) -> dict[str, Any]:
        """The result as ``--json`` prints it."""
        from netwright.bench.checklist import checklist
        from netwright.version import VERSION

        ranking = self.ranking
        return {
            "table": self.table.name,
            "maximize": next((one.name for one in self.objectives if one.sign > 0), None),
            "minimize": [one.name for one in self.objectives if one.sign < 0],
            "searched": [one.name for one in self.objectives],
            "score": self.score_name,
            "score_direction": "maximize" if self.sign > 0 else "minimize",
            "best": self.best_score,
            "queries": list(self.points),
            "seeds": self.seeds,
            "workers": self.workers,
            "strategies": {name: self._strategy_value(name) for name in self.runs},
            "tests": [test.to_value() for test in self.tests],
            "friedman": None
            if ranking is None
            else {
                "queries": self.queries,
                "seeds": len(self.common),
                "statistic": ranking.statistic,
                "p": ranking.p,
                "critical_distance": self.critical_distance,
                "groups": [list(group) for group in self.groups],
            },
            "landscape": self.landscape.to_value(),
            "checklist": [item.to_value() for item in checklist(self)],
            "out": None if self.folder is None else str(self.folder),
            "command": self.command,
            "version": VERSION,
        }

    def _strategy_value(self, name: str) -> dict[str, Any]:
        runs, curves = self.runs[name], self.scores[name][:, self.at]
        area = statistics.bootstrap_bands(self.areas[name][:, None], level=LEVEL)
        return {
            **_band_value(self.bands[name], self.at),
            "runs": len(runs.seeds),
            "failed": runs.failed,
            "deviation": [float(value) for value in _deviation(curves)],
            "median": [float(value) for value in np.median(curves, axis=0)],
            "regret": _band_value(self.regret_bands[name], self.at),
            "searched_regret": _band_value(self.searched_regret_bands[name], self.at),
            "area": {"mean": float(area.mean[0]), "low": float(area.low[0]), "high": float(area.high[0])},
            "rank": self.rank(name),
            "seconds": float(runs.own.mean()),
            "used": {what: float(values.mean()) for what, values in runs.used.items()},
        }


def _bands(curves: Floats) -> Bands:
    """Bands of whole curves, with as many draws as take about a second at most."""
    draws = int(min(10_000, max(1_000, 1e9 / curves.size)))
    return statistics.bootstrap_bands(curves, draws=draws, level=LEVEL)


def _deviation(curves: Floats) -> Floats:
    return np.std(curves, axis=0, ddof=1) if len(curves) > 1 else np.zeros(curves.shape[1])


def _band_value(bands: Bands, at: NDArray[np.int64]) -> dict[str, list[float]]:
    return {
        "mean": bands.mean[at].tolist(),
        "low": bands.low[at].tolist(),
        "high": bands.high[at].tolist(),
    }


def _best(measure: Measure, table: Table) -> float:
    values = measure.values(table)
    return float(values.max() if measure.sign > 0 else values.min())
