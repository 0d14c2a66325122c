"""BOHB: Hyperband whose new architectures come from a density model."""

from __future__ import annotations

import bisect
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.architecture import Answer, Architecture
from netwright.arguments import one_objective
from netwright.errors import InputError
from netwright.space import SearchSpace
from netwright.space.conditions import asked
from netwright.space.decisions import Decision
from netwright.strategies.base import Strategy
from netwright.strategies.rungs import Brackets, Plan, ladder
from netwright.strategies.unseen import Unseen
from netwright.trial import Budget, Objective, Proposal, Trial

Row = NDArray[np.float64]


@final
class BOHB(Strategy):
    """BOHB: Falkner, Klein and Hutter 2018, with the choices of the authors' program.

    The brackets are those of ``Hyperband``, their first sizes ⌊(s_max + 1)/(s + 1)⌋·eta^s as in the program. The
    architecture that begins is random for ``random_fraction`` of them and as long as there is no model. Else it is the
    best by good(x)/bad(x) of ``samples`` drawn from the good density. Both are kernel densities over the decisions,
    of the trials at the largest budget that has at least d + 2 of them, d being the number of decisions with more than
    one value: good are the best max(d + 1, ``top`` of them), bad the worst max(d + 1, the rest).

    Ranges and repetitions are numbers in [0, 1] (in the logarithm where ``log``) with a Gaussian kernel, of
    ``bandwidth_factor`` times the bandwidth when it is drawn from. All else is unordered with the kernel of Aitchison
    and Aitken 1976. Bandwidths follow the normal reference rule 1.06·σ·n^(−1/(4+d)), at least ``min_bandwidth``. A
    decision that was not asked gets, in the model, the answer that another trial of the same group has, drawn.

    Two things differ from the program: the kernel of c options knows all of them, not those that occur, and its
    bandwidth is at most (c − 1)/c, at which it is uniform (beyond, weights would be negative); and of the samples the
    best is taken that was not proposed before and that the space allows, a random architecture where there is none.

    Trials without a score count as the worst, here and in their rung. One objective only.
    """

    multi_fidelity = True

    def __init__(
        self,
        min_budget: float = 1,
        max_budget: float = 27,
        eta: int = 3,
        budgets: Sequence[Budget] | None = None,
        *,
        top: float = 0.15,
        samples: int = 64,
        random_fraction: float = 1 / 3,
        bandwidth_factor: float = 3.0,
        min_bandwidth: float = 1e-3,
    ) -> None:
        ladder("BOHB", min_budget, max_budget, eta, budgets)
        problems = [
            f"{name} is {expected}, found {value!r}"
            for name, value, expected, held in (
                ("top", top, "between 0 and 1", 0 < top < 1),
                ("samples", samples, "a whole number of at least 1", isinstance(samples, int) and samples >= 1),
                ("random_fraction", random_fraction, "from 0 to 1", 0 <= random_fraction <= 1),
                ("bandwidth_factor", bandwidth_factor, "above 0", bandwidth_factor > 0),
                ("min_bandwidth", min_bandwidth, "above 0", min_bandwidth > 0),
            )
            if not held
        ]
        if problems:
            raise InputError(f"BOHB: {'; '.join(problems)}")
        self.min_budget, self.max_budget, self.eta = min_budget, max_budget, eta
        self.budgets = None if budgets is None else tuple(budgets)
        self.top, self.samples, self.random_fraction = top, samples, random_fraction
        self.bandwidth_factor, self.min_bandwidth = bandwidth_factor, min_bandwidth

    def start(self, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        self._objective = one_objective("BOHB", objectives)
        super().start(space, objectives)
        self._ladder = ladder("BOHB", self.min_budget, self.max_budget, self.eta, self.budgets)
        self._brackets = Brackets(plans(self._ladder, self.eta), self.eta, self._objective, self._draw)
        self._unseen = Unseen(space)
        self._coordinates = Coordinates(space.decisions)
        self._points = {budget: _Points() for budget in self._ladder}
        self._model: tuple[Density, Density] | None = None
        self._modelled: tuple[Budget, int] | None = None

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        return self._brackets.ask(rng)

    def tell(self, trial: Trial) -> None:
        self._brackets.tell(trial)
        points = self._points.get(trial.proposal.budget)
        if points is not None:
            loss = -self._objective.score(trial.metrics) if trial.scored else math.inf
            points.add(loss, trial.number, self._coordinates.of(trial.architecture))

    def heirs(self) -> Collection[int]:
        return self._brackets.heirs()

    def _draw(self, rng: np.random.Generator) -> Architecture | None:
        """The architecture that begins next."""
        densities = self._densities(rng)
        if densities is None or rng.random() < self.random_fraction:
            return self._unseen.draw(rng)
        good, bad = densities
        rows = good.draw(self.samples, rng, self.bandwidth_factor)
        ratio = np.maximum(bad(rows), 1e-32) / np.maximum(good(rows), 1e-32)
        for index in np.argsort(ratio, kind="stable"):
            architecture = Architecture(self._coordinates.answers(rows[index]))
            if architecture in self.space and self._unseen.add(architecture):
                return architecture
        return self._unseen.draw(rng)

    def _densities(self, rng: np.random.Generator) -> tuple[Density, Density] | None:
        """Good and bad, fitted again where something was told of their budget; None while there are too few trials."""
        least = len(self._coordinates) + 1
        for budget in reversed(self._ladder):
            rows = self._points[budget].rows
            if len(rows) > least:
                break
        else:
            return None
        if self._modelled != (budget, len(rows)):
            good = max(least, int(self.top * len(rows)))
            bad = max(least, len(rows) - good)
            self._model = self._density(rows[:good], rng), self._density(rows[-bad:], rng)
            self._modelled = budget, len(rows)
        return self._model

    def _density(self, rows: Sequence[Row], rng: np.random.Generator) -> Density:
        data = self._coordinates.impute(np.array(rows), rng)
        return Density(data, self._coordinates.levels, self.min_bandwidth)


def plans(budgets: tuple[Budget, ...], eta: int) -> Iterator[Plan]:
    """Bracket after bracket, with the sizes of the authors' program."""
    count = len(budgets)
    while True:
        for s in range(count - 1, -1, -1):
            yield count // (s + 1) * eta**s, budgets[count - 1 - s :]


@final
class _Points:
    """The trials at one budget, the best first: the row of each."""

    def __init__(self) -> None:
        self._places: list[tuple[float, int]] = []
        self.rows: list[Row] = []

    def add(self, loss: float, number: int, row: Row) -> None:
        place = bisect.bisect(self._places, (loss, number))
        self._places.insert(place, (loss, number))
        self.rows.insert(place, row)


@final
class Coordinates:
    """Architectures as rows of one number a decision: NaN where it is not asked, [0, 1] for ranges and repetitions,
    else the position of the answer. Decisions with a single value are left out."""

    def __init__(self, decisions: Sequence[Decision]) -> None:
        self._decisions = decisions
        self._columns = {
            decision.name: column
            for column, decision in enumerate(decision for decision in decisions if decision.cardinality > 1)
        }
        self.levels = tuple(
            0 if _ordered(decision) else int(decision.cardinality)
            for decision in decisions
            if decision.name in self._columns
        )
        """The number of options of each unordered decision; 0 for a number."""

    def __len__(self) -> int:
        return len(self._columns)

    def of(self, architecture: Mapping[str, Answer]) -> Row:
        row = np.full(len(self), np.nan)
        for decision in self._decisions:
            column = self._columns.get(decision.name)
            if column is not None and decision.name in architecture:
                answer = architecture[decision.name]
                row[column] = _scaled(decision, answer) if _ordered(decision) else decision.position(answer)
        return row

    def answers(self, row: Row) -> dict[str, Answer]:
        """The answers of a complete row, to the decisions that they ask."""
        answers: dict[str, Answer] = {}
        for decision in self._decisions:
            if asked(decision, answers):
                column = self._columns.get(decision.name)
                if column is None:
                    answers[decision.name] = decision.first
                elif _ordered(decision):
                    answers[decision.name] = decision.draw(min(float(row[column]), 1.0 - 2**-53))
                else:
                    answers[decision.name] = decision.value(int(row[column]))
        return answers

    def impute(self, rows: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """The rows without NaN: from another row that has the answer, else at random."""
        rows = rows.copy()
        for column in np.flatnonzero(np.isnan(rows).any(0)):
            missing = np.isnan(rows[:, column])
            known, count = rows[~missing, column], int(missing.sum())
            level = self.levels[column]
            if len(known):
                rows[missing, column] = known[rng.integers(len(known), size=count)]
            else:
                rows[missing, column] = rng.integers(level, size=count) if level else rng.random(count)
        return rows


@final
class Density:
    """A product kernel density over rows (n, d), by the normal reference rule."""

    def __init__(self, rows: NDArray[np.float64], levels: Sequence[int], min_bandwidth: float) -> None:
        count, dimensions = rows.shape
        self.rows, self.levels = rows, np.array(levels)
        most = np.array([(level - 1) / level if level else np.inf for level in levels])
        reference = 1.06 * rows.std(0) * count ** (-1.0 / (4 + dimensions))
        self.bandwidths: NDArray[np.float64] = np.minimum(np.maximum(reference, min_bandwidth), most)

    def __call__(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """The density at each of ``rows`` (m, d)."""
        product = np.ones((len(rows), len(self.rows)))
        for column, (level, h) in enumerate(zip(self.levels, self.bandwidths, strict=True)):
            x, centre = rows[:, column, None], self.rows[None, :, column]
            if level:
                product *= np.where(x == centre, 1 - h, h / (level - 1))
            else:
                product *= np.exp(-0.5 * ((x - centre) / h) ** 2) / (h * math.sqrt(2 * math.pi))
        density: NDArray[np.float64] = product.mean(1)
        return density

    def draw(self, count: int, rng: np.random.Generator, factor: float) -> NDArray[np.float64]:
        """``count`` rows around those that it was made of; numbers by a Gaussian cut off at 0 and 1, ``factor`` times
        as wide."""
        from scipy.special import ndtr, ndtri

        rows = self.rows[rng.integers(len(self.rows), size=count)].copy()
        for column, (level, h) in enumerate(zip(self.levels, self.bandwidths, strict=True)):
            if level:
                moved = rng.random(count) < h
                rows[moved, column] = rng.integers(level, size=int(moved.sum()))
            else:
                centre, width = rows[:, column], factor * h
                low, high = ndtr(-centre / width), ndtr((1 - centre) / width)
                drawn: Any = centre + width * ndtri(low + rng.random(count) * (high - low))
                rows[:, column] = np.clip(drawn, 0.0, 1.0)
        return rows


def _ordered(decision: Decision) -> bool:
    return decision.kind in ("range", "repeat")


def _scaled(decision: Decision, value: Any) -> float:
    """Where in [0, 1] ``decision.draw`` gives this value: the middle of the stretch that gives it."""
    low, high, step = decision.low, decision.high, decision.step
    assert low is not None
    assert high is not None
    if decision.continuous:
        if low == high:
            return 0.0
        if decision.log:
            return math.log(value / low) / math.log(high / low)
        return float((value - low) / (high - low))
    if not decision.log:
        place = decision.position(value)
        assert place is not None
        return (place + 0.5) / float(decision.cardinality)
    assert step is not None
    start, end = math.log(max(low - step / 2, low / 2)), math.log(high + step / 2)
    return (math.log(value) - start) / (end - start)
