"""Race: one strategy searches a table from one seed."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, final

import numpy as np

from netwright.bench.measures import HYPERVOLUME, Measure, ladder
from netwright.errors import InputError, nearest
from netwright.evaluators.base import Candidate
from netwright.strategies.base import Strategy
from netwright.trial import PROXY, Objective, Trial

if TYPE_CHECKING:
    from netwright.evaluators.tables import Table

SLACK = 1e-9
"""Shares of queries are sums of fractions, which miss whole numbers by a little."""
PROCESSOR = "processor_seconds"
"""What a run took here: strategy, study and look-ups; unlike wall time it hardly depends on what else runs."""
MOST_TRIALS = 20_000
"""A run ends after so many trials and a hundred times its queries: proxies cost no query and have no other end."""


@final
@dataclass(frozen=True)
class Race:
    """An evaluator whose candidate answers one decision, ``seed``: the search from that seed is the evaluation.

    The search is a study in memory, in this process, over the table's space. Its metrics say what it used; its
    reports are the incumbents: the step is the query that found one, ``row`` its row in the table.
    ``table`` may be a name or a file, so that each worker opens it itself, once.
    """

    table: Table | str
    strategy: str
    objectives: tuple[Measure, ...]
    queries: int
    workers: int = 1

    in_process = True

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What two runs must have in common to stand in one comparison."""
        table = opened(self.table)
        digest = hashlib.sha256(np.ascontiguousarray(table.choices).tobytes())
        for measure in self.objectives:
            digest.update(np.ascontiguousarray(measure.values(table)).tobytes())
        return {
            "table": table.name,
            "content": digest.hexdigest()[:16],
            "searched": [[measure.direction, measure.name] for measure in self.objectives],
            "queries": self.queries,
            "workers": self.workers,
        }

    def __call__(self, candidate: Candidate) -> Mapping[str, float]:
        opened(self.table)  # once a worker, so it is no run's
        began = time.process_time()
        account = self.run(int(candidate.architecture["seed"]))
        spent = time.process_time() - began
        for query, incumbent in account.incumbents.items():
            candidate.report(query, **incumbent)
        return {**account.metrics(), PROCESSOR: spent}

    def run(self, seed: int) -> Account:
        """Searches from ``seed`` until the queries are used or the strategy has nothing left."""
        from netwright.study import Study

        table = opened(self.table)
        strategy = make_strategy(self.strategy, table, self.objectives)
        executor, clock = self._executor()
        account = Account(table, self.objectives, self.queries, clock)
        metrics = [measure.metric for measure in self.objectives]
        study = Study(
            table.space,
            strategy,
            table.evaluator(metrics, fidelity=searched_fidelity(self.objectives), seed="mean"),
            maximize=[measure.metric for measure in self.objectives if measure.direction == "maximize"],
            minimize=[measure.metric for measure in self.objectives if measure.direction == "minimize"],
            seed=seed,
            parallel=self.workers,
            inherit=is_multi_fidelity(strategy),
            executor=executor,
            callbacks=(account,),
            clock=clock or time.monotonic,
        )
        study.run(n_jobs=self.workers, stop=account.is_over)
        return account

    def _executor(self) -> tuple[Any, Callable[[], float] | None]:
        if self.workers == 1:
            return "in_process", None
        from netwright.executors.simulated import Simulated

        simulated = Simulated(self.workers)
        return simulated, simulated.clock


@final
class Account:
    """What a run has used and found so far, trial by trial; a callback of the study.

    A trial at the searched fidelity is one query, a repeated one too. A trial at a smaller budget is the share that
    its budget is of the full one; an architecture that was evaluated at a smaller budget before pays the difference.
    A trial of proxies is no query. What goes beyond the last query is not counted at all.

    The incumbent is the best by the first objective among the trials at the largest fidelity seen so far, of equal ones
    the lowest row of the table: scores at different fidelities are never compared.
    """

    def __init__(
        self, table: Table, objectives: tuple[Measure, ...], queries: int, clock: Callable[[], float] | None = None
    ) -> None:
        self._table = table
        self._objectives = objectives
        self._queries = queries
        self._clock = clock
        self._full = searched_fidelity(objectives)
        self._seconds: dict[Any, list[float] | None] = {}
        self._front = Volume(table, objectives) if len(objectives) > 1 else None
        self._trained: dict[int, float] = {}
        self._top = -1.0
        self._best = -math.inf
        self._row = -1
        self.incumbents: dict[int, dict[str, float]] = {}
        self.spent = 0.0
        self.trials = 0
        self.proxies = 0
        self.seconds = 0.0
        self.now = 0.0

    def is_over(self) -> bool:
        """Whether no query is left."""
        return self.spent >= self._queries - SLACK or self.trials >= MOST_TRIALS + 100 * self._queries

    def __call__(self, study: Any, trial: Trial) -> None:
        if self.is_over():
            return
        if trial.proposal.budget == PROXY:
            self.trials += 1
            self.proxies += 1
            return
        fidelity = self._full if trial.proposal.budget is None else trial.proposal.budget
        row = self._table.row(trial.architecture)
        share = self._share(fidelity)
        before = self._trained.get(row, 0.0)
        spent = self.spent + (share - before if before < share else share)
        if spent > self._queries + SLACK:
            self.spent = spent
            return
        self.spent = spent
        self.trials += 1
        if self._clock is not None:
            self.now = self._clock()
        if share > before:
            self.seconds += self._cost(row, share) - (self._cost(row, before) if before else 0.0)
            self._trained[row] = share
        if trial.scored:
            self._compare(trial, row, share)

    def metrics(self) -> dict[str, float]:
        """What a run comes to, in numbers."""
        last = next(reversed(self.incumbents.values()), None)
        if last is None:
            raise InputError("the run ended before anything had a score")
        found = {
            "searched": last["searched"],
            "queries": min(self.spent, float(self._queries)),
            "trials": float(self.trials),
            "distinct": float(len(self._trained)),
            "proxies": float(self.proxies),
        }
        if self._front is not None:
            found[HYPERVOLUME] = last[HYPERVOLUME]
        if self._timed():
            found["train_seconds"] = self.seconds
            if self._clock is not None:
                found["simulated_seconds"] = self.now
        return found

    def _compare(self, trial: Trial, row: int, share: float) -> None:
        first = self._objectives[0]
        score = first.sign * trial.metrics[first.metric]
        if share > self._top:
            self._top, self._best = share, -math.inf
            if self._front is not None:
                self._front.clear()
        if share < self._top:
            return
        grown = self._front is not None and self._front.add(row)
        # Of equal scores the lowest row is the incumbent, whichever was seen first: published figures were made so.
        better = score > self._best or (score == self._best and row < self._row)
        if not better and not grown:
            return
        if better:
            self._best, self._row = score, row
        incumbent = {"searched": first.sign * self._best, "row": float(self._row)}
        if self._front is not None:
            incumbent[HYPERVOLUME] = self._front.share
        if self._clock is not None:
            incumbent["clock"] = self.now
        # The last of a query stands: within one, no order can be seen from outside.
        self.incumbents[max(1, math.ceil(self.spent - SLACK))] = incumbent

    def _share(self, fidelity: Any) -> float:
        if self._full is None or not isinstance(fidelity, int | float):
            return 1.0
        return float(fidelity) / float(self._full)

    def _cost(self, row: int, share: float) -> float:
        """The seconds of training of a row up to a share of the full fidelity; 0 where they are not known."""
        if share not in self._seconds:
            first = self._objectives[0]
            fidelity = self._full
            if fidelity is not None and share != 1.0:
                fidelity = next(
                    (one for one in self._table.fidelities(first.metric) if self._share(one) == share), fidelity
                )
            try:
                self._seconds[share] = self._table.seconds_column(first.metric, fidelity).mean.tolist()
            except InputError:
                self._seconds[share] = None
        column = self._seconds[share]
        return 0.0 if column is None else column[row]

    def _timed(self) -> bool:
        return any(column is not None for column in self._seconds.values())


@final
class Volume:
    """The hypervolume of what was found, as a share of what the whole table holds.

    Each objective is scaled to [0, 1] over the table; the reference is the table's worst value in each.
    """

    def __init__(self, table: Table, objectives: tuple[Measure, ...]) -> None:
        self._points, self._whole = _scaled(table, objectives)
        self._found: list[int] = []
        self.share = 0.0

    def clear(self) -> None:
        """Forgets what was found."""
        self._found.clear()
        self.share = 0.0

    def add(self, row: int) -> bool:
        """Takes a row in; whether it adds to the volume."""
        from netwright.pareto import front, hypervolume

        point = self._points[row]
        if self._found and bool(np.any(np.all(self._points[self._found] >= point, axis=1))):
            return False
        rows = [*self._found, row]
        self._found = [rows[index] for index in front(self._points[rows])]
        before = self.share
        worst = np.zeros(self._points.shape[1])
        self.share = hypervolume(self._points[self._found], worst) / self._whole if self._whole > 0 else 1.0
        return self.share > before


def _scaled(table: Table, objectives: tuple[Measure, ...]) -> tuple[Any, float]:
    """Every row's objectives in [0, 1], larger being better, and the volume that they dominate together."""
    from netwright.pareto import front, hypervolume

    known = _SCALED.get((id(table), objectives))
    if known is None:
        points = np.stack([measure.sign * measure.values(table) for measure in objectives], axis=1)
        low, span = points.min(axis=0), np.ptp(points, axis=0)
        points = (points - low) / np.where(span > 0, span, 1.0)
        # The table is held too, so that its id is not given to another.
        known = points, hypervolume(points[front(points)], np.zeros(len(objectives))), table
        _SCALED.clear()
        _SCALED[id(table), objectives] = known
    return known[0], known[1]


_SCALED: dict[tuple[int, tuple[Measure, ...]], tuple[Any, float, Any]] = {}


def searched_fidelity(objectives: tuple[Measure, ...]) -> int | float | None:
    """The fidelity that a run searches at."""
    from netwright.evaluators.tables import table as tables

    trained = [measure for measure in objectives if not tables.is_cost(measure.metric)]
    return (trained or list(objectives))[0].fidelity


def make_strategy(text: str, table: Table, objectives: tuple[Measure, ...]) -> Strategy:
    """The strategy that ``text`` names; a multi-fidelity one gets the table's fidelities as its budgets, and one that
    leaves open whether it asks for proxies asks where the table knows costs.

    Raises InputError for an unknown name or argument, for a ladder of a single fidelity, and for proxies that the
    table has no numbers of.
    """
    from netwright import strategies

    strategy: Strategy = strategies.make(text)
    wanted = getattr(strategy, "proxies", ())
    answered = proxies(table, objectives)
    if wanted is None and answered:
        strategy = _with(strategy, proxies=True)
    elif wanted:
        _check_proxies(text, table, answered, () if wanted is True else wanted)
    if not is_multi_fidelity(strategy) or getattr(strategy, "budgets", None) is not None:
        return strategy
    budgets = ladder(table, objectives)
    if len(budgets) < 2:
        if getattr(strategy, "multi_fidelity", False) == "optional":
            return strategy
        first = objectives[0]
        known = ", ".join(f"{one:g}" for one in table.fidelities(first.metric) if one is not None) or "none"
        raise InputError(
            f"{text} needs fidelities cheaper than {first.name}; the table has {first.metric} at {known}",
            hint="Search at a larger one, or leave it out",
        )
    return _with(strategy, budgets=list(budgets))


def proxies(table: Table, objectives: tuple[Measure, ...]) -> tuple[str, ...]:
    """What the table answers the budget of proxies with: the names of its costs."""
    metrics = [measure.metric for measure in objectives]
    return table.evaluator(metrics, fidelity=searched_fidelity(objectives), seed="mean").proxies


def _check_proxies(text: str, table: Table, answered: tuple[str, ...], wanted: Sequence[str]) -> None:
    """Raises InputError where the table has none of the costs that a strategy asks for, or lacks one that is named."""
    from netwright.evaluators.proxies.registry import PROXIES

    lacking = [name for name in (one.removeprefix("-") for one in wanted) if name not in answered]
    unknown = next((name for name in lacking if name not in PROXIES), None)
    if unknown is not None:
        raise InputError(
            f"{text} asks for the proxy '{unknown}', which is unknown ({nearest(unknown, {*answered, *PROXIES})})"
        )
    if not answered:
        raise InputError(
            f"{text} asks for proxies, and the table '{table.name}' has none that go with what is searched",
            hint="Leave it out",
        )
    if lacking:
        named = ", ".join(answered)
        written = named if len(answered) > 1 else f"{named},"  # of one, a comma makes the tuple
        raise InputError(
            f"{text} asks for {', '.join(lacking)}, which the table '{table.name}' does not have; it has {named}",
            hint=f"Write {text.partition('(')[0]}(proxies=({written}))",
        )


def _with(strategy: Strategy, **arguments: Any) -> Strategy:
    """The same strategy made with some other arguments."""
    given = {name: value for name, value in vars(strategy).items() if not name.startswith("_")}
    return type(strategy)(**{**given, **arguments})


def is_multi_fidelity(strategy: Strategy) -> bool:
    """Whether a strategy proposes budgets of its own."""
    return bool(getattr(strategy, "multi_fidelity", False))


def check_strategy(text: str, table: Table, objectives: tuple[Measure, ...]) -> None:
    """Raises InputError for a strategy that cannot search this table for this."""
    strategy = make_strategy(text, table, objectives)
    strategy.start(table.space, tuple(Objective(measure.metric, measure.direction) for measure in objectives))


def opened(table: Table | str) -> Table:
    """The table itself; one that is named is opened once a process."""
    return _open(table) if isinstance(table, str) else table


@lru_cache(maxsize=4)
def _open(name: str) -> Table:
    from netwright.evaluators.tables import open_table

    return open_table(name)
