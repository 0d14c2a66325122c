"""Measures: what is searched and what is judged, read from ``metric@fidelity``."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from netwright.errors import InputError

if TYPE_CHECKING:
    from netwright.evaluators.tables import Table

HYPERVOLUME = "hypervolume"
"""What is judged when several metrics are searched at once: the share of the whole table's hypervolume."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A column of a table and the direction in which it is better."""

    metric: str
    fidelity: int | float | None
    direction: Literal["maximize", "minimize"] = "maximize"

    @property
    def name(self) -> str:
        """``metric@fidelity``, or the metric alone where there is no fidelity."""
        return self.metric if self.fidelity is None else f"{self.metric}@{self.fidelity:g}"

    @property
    def sign(self) -> float:
        """What a value is multiplied with so that larger is better."""
        return 1.0 if self.direction == "maximize" else -1.0

    def values(self, table: Table) -> NDArray[np.float64]:
        """The value of every row of the table, the mean over its seeds."""
        return table.find(self.metric, self.fidelity).mean


def read_measure(table: Table, text: str, direction: Literal["maximize", "minimize"] = "maximize") -> Measure:
    """The measure that ``text`` names; without ``@`` it is the metric's at its largest fidelity.

    Raises InputError with the nearest metric, or with the fidelities at which the table has it.
    """
    from netwright.evaluators.tables import parse_column

    metric, fidelity = parse_column(text.strip())
    if "@" not in text:
        known = table.fidelities(metric)
        fidelity = None if None in known else known[-1]
    table.find(metric, fidelity)
    return Measure(metric, fidelity, direction)


SMALL = ("loss", "error", "rmse", "mae", "mse", "perplexity", "energy")
LARGE = ("accuracy", "acc", "r2", "auc", "f1", "score")
"""Words in the names of metrics that say in which direction they are better."""


def read_score(table: Table, text: str, objectives: tuple[Measure, ...]) -> Measure:
    """The measure that ``text`` names, as what an incumbent is judged by.

    What is searched keeps its direction. Else a cost, a time, a loss or an error is better small, an accuracy large,
    and a name that does not tell follows the first searched metric that is none of what is better small.
    """
    found = read_measure(table, text)
    own = next((measure.direction for measure in objectives if measure.metric == found.metric), None)
    like = next((measure.direction for measure in objectives if _told(measure.metric) != "minimize"), None)
    return replace(found, direction=own or _told(found.metric) or like or "maximize")


def _told(metric: str) -> Literal["maximize", "minimize"] | None:
    """The direction that a metric's name tells."""
    from netwright.evaluators.tables.table import is_cost, is_time

    words = re.split(r"[._-]", metric.lower())
    if is_cost(metric) or is_time(metric) or any(word in SMALL for word in words):
        return "minimize"
    return "maximize" if any(word in LARGE for word in words) else None


def counterpart(table: Table, searched: Measure) -> Measure:
    """What an incumbent by ``searched`` is judged by: the test metric where a validation metric of the table has one.

    ``X.valid`` has ``X.test``, ``val_Y`` has ``test_Y`` and ``valid`` has ``test``: at the same fidelity, or at its
    largest where the table lacks it there. Anything else is judged by itself.
    """
    head, dot, last = searched.metric.rpartition(".")
    if last == "valid":
        metric = f"{head}{dot}test"
    elif last.startswith("val_"):
        metric = f"{head}{dot}test_{last.removeprefix('val_')}"
    else:
        return searched
    if metric not in table.metrics:
        return searched
    known = table.fidelities(metric)
    return Measure(metric, searched.fidelity if searched.fidelity in known else known[-1], searched.direction)


def read_objectives(table: Table, maximize: tuple[str, ...], minimize: tuple[str, ...]) -> tuple[Measure, ...]:
    """What is searched; by default the table's first metric is maximized.

    All of it has one fidelity, except what is known before training. Raises InputError for anything else.
    """
    from netwright.evaluators.tables import table as tables

    if not maximize and not minimize:
        if not table.metrics:
            raise InputError(f"the table '{table.name}' has no metric but costs", hint="Give --minimize one of them")
        maximize = (table.metrics[0],)
    objectives = [read_measure(table, text) for text in maximize]
    objectives += [read_measure(table, text, "minimize") for text in minimize]
    metrics = [measure.metric for measure in objectives]
    twice = next((metric for metric in metrics if metrics.count(metric) > 1), None)
    if twice is not None:
        raise InputError(f"'{twice}' is searched twice", hint="Keep one of the two")
    trained = {measure.fidelity: measure.name for measure in objectives if not tables.is_cost(measure.metric)}
    if len(trained) > 1:
        raise InputError(
            f"what is searched at once has one fidelity, found {' and '.join(trained.values())}",
            hint="Ask for both at the same",
        )
    return tuple(objectives)


def ladder(table: Table, objectives: tuple[Measure, ...]) -> tuple[int | float, ...]:
    """The fidelities of what is searched, ascending, up to the one that is searched: the budgets of a run."""
    first = next((measure for measure in objectives if measure.fidelity is not None), None)
    if first is None or first.fidelity is None:
        return ()
    common = set(table.fidelities(first.metric))
    for measure in objectives:
        known = table.fidelities(measure.metric)
        if None not in known:
            common &= set(known)
    return tuple(sorted(one for one in common if one is not None and one <= first.fidelity))
