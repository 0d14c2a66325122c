"""TableEvaluator: looks up what training would have found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import numpy as np

from netwright.errors import InputError
from netwright.evaluators.base import Candidate
from netwright.evaluators.tables.table import Fidelity, Seed, Table, column_name, is_cost
from netwright.trial import PROXY


@final
class TableEvaluator:
    """Answers with the table's numbers under the names of their metrics.

    A candidate's budget is a fidelity: None is the one given here, a number is that one, ``"proxy"`` answers with the
    costs alone, under their plain names (``params``, ``macs``). With the metrics come ``epochs``, the fidelity, and
    ``train_seconds`` where they are known: a promotion continues, so it has those of the difference. Costs may be
    among ``metrics``. InputError at once for a metric, a fidelity or a seed that the table lacks.
    """

    in_process = True
    deterministic = True
    """It asks for no chance, so no generator needs a seed for it."""
    inherits = True
    weightless = True
    """A promotion continues although no weights were kept."""

    def __init__(self, table: Table, metrics: Sequence[str], fidelity: Fidelity, seed: Seed) -> None:
        if not metrics:
            raise InputError("a table is asked for at least one metric")
        self.table = table
        self.metrics = self.answers = tuple(metrics)
        self.fidelity = fidelity
        self.seed = seed
        stem = self.metrics[0].rpartition(".")[0]
        self._proxies = _proxies(table, stem)
        self._timed = next((metric for metric in self.metrics if metric in table.times), None)
        self._numbers: dict[Fidelity, list[tuple[str, list[float]]]] = {}
        self._seconds: dict[Fidelity, list[float] | None] = {}
        self._at(fidelity)

    @property
    def answers_proxies(self) -> bool:
        """Whether it has any costs to answer with."""
        return bool(self._proxies)

    @property
    def proxies(self) -> tuple[str, ...]:
        """The names of what the budget ``"proxy"`` is answered with."""
        return tuple(name for name, _ in self._proxies)

    def __call__(self, candidate: Candidate) -> Mapping[str, float]:
        row = self.table.row(candidate.architecture)
        budget = candidate.budget
        if budget == PROXY:
            return {name: numbers[row] for name, numbers in self._proxies}
        if isinstance(budget, str):
            raise InputError(f"a table knows numbers as budgets and 'proxy', found '{budget}'")
        fidelity = self.fidelity if budget is None else budget
        metrics = {name: numbers[row] for name, numbers in self._at(fidelity)}
        if fidelity is not None:
            metrics["epochs"] = float(fidelity)
        seconds = self._seconds[fidelity]
        if seconds is not None:
            metrics["train_seconds"] = seconds[row] - self._before(candidate, row)
        return metrics

    def _before(self, candidate: Candidate, row: int) -> float:
        """The seconds that a promotion does not pay again."""
        heritage = candidate.heritage
        if heritage is None or not heritage.same or not heritage.epochs:
            return 0.0
        earlier = int(heritage.epochs) if float(heritage.epochs).is_integer() else heritage.epochs
        self._at(earlier)
        seconds = self._seconds[earlier]
        return 0.0 if seconds is None else seconds[row]

    def _at(self, fidelity: Fidelity) -> list[tuple[str, list[float]]]:
        """The columns at a fidelity, as lists: a number of a list is found several times faster than of an array."""
        known = self._numbers.get(fidelity)
        if known is None:
            known = [(metric, self._column(metric, fidelity)) for metric in self.metrics]
            self._seconds[fidelity] = self._seconds_at(fidelity)
            self._numbers[fidelity] = known
        return known

    def _column(self, metric: str, fidelity: Fidelity) -> list[float]:
        if is_cost(metric) and None in self.table.fidelities(metric):
            return list(self.table.find(metric, None).mean.tolist())
        column = self.table.find(metric, fidelity)
        numbers = column.of_seed(self.seed)
        lacking = int(np.isnan(numbers).sum())
        if lacking:
            raise InputError(
                f"{lacking:,} of {len(numbers):,} architectures have no seed {self.seed} of '{column.name}'",
                hint='Use a seed that all have, or seed="mean"',
            )
        return list(numbers.tolist())

    def _seconds_at(self, fidelity: Fidelity) -> list[float] | None:
        if self._timed is None:
            return None
        name = column_name(self.table.times[self._timed], fidelity)
        return self.table.columns[name].mean.tolist() if name in self.table.columns else None


def _proxies(table: Table, stem: str) -> list[tuple[str, list[float]]]:
    """The parameters and multiply-adds that go with a metric, under their plain names."""
    found = {}
    for name in table.costs:
        first, _, last = name.rpartition(".")
        if last in ("params", "macs", "flops") and first in ("", stem):
            found[last] = table.find(name, table.fidelities(name)[0]).mean.tolist()
    return list(found.items())
