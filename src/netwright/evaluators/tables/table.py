"""Table: what is known of every architecture of a space."""

from __future__ import annotations

import copy
import difflib
import os
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netwright.architecture import Answer, Architecture
from netwright.errors import ArchitectureError, InputError
from netwright.evaluators.tables.rows import Rows, options_of
from netwright.space import SearchSpace

if TYPE_CHECKING:
    from netwright.evaluators.tables.evaluator import TableEvaluator

Fidelity = int | float | None
"""How much went into a number: epochs, as a rule; None for what has no such thing, and for the full amount of a table
of one's own."""
Seed = int | Literal["mean"]

Curves = Mapping[str, Mapping[int, NDArray[np.float32]]]
"""``metric@fidelity`` to row to (seeds, epochs) numbers."""

COSTS = ("params", "macs", "flops", "memory", "latency")
"""A metric is a cost when the last word of its name, or the first, is or starts with one of these."""
TIMES = ("train_seconds", "cost")
"""The last word of the name of a column of training seconds."""


@dataclass(frozen=True)
class Column:
    """A metric at a fidelity: a number for each row, or one for each row and seed.

    ``values`` is (N,) or (N, seeds), NaN where a row lacks a seed; ``mean`` is (N,). Both are read-only.
    """

    metric: str
    fidelity: Fidelity
    values: NDArray[np.float64] = field(repr=False)
    mean: NDArray[np.float64] = field(repr=False)

    @classmethod
    def of(cls, name: str, values: ArrayLike) -> Column:
        """The column called ``metric@fidelity`` or ``metric``; InputError for values that are no finite numbers."""
        metric, fidelity = parse_column(name)
        given = np.asarray(values)
        if given.dtype.kind not in "fiu" or given.ndim not in (1, 2) or 0 in given.shape:
            raise InputError(
                f"the column '{name}' is a number for each architecture (or for each and seed), found {given.dtype} "
                f"of shape {given.shape}"
            )
        numbers = given.astype(np.float64)
        counts = np.isfinite(numbers).reshape(len(numbers), -1).sum(1)
        # A seed may be missing, a number may not.
        if (counts == 0).any() or np.isinf(numbers).any():
            row = int(np.argmax((counts == 0) | np.isinf(numbers).reshape(len(numbers), -1).any(1)))
            raise InputError(f"the column '{name}' has no finite number in row {row}")
        mean = numbers if numbers.ndim == 1 else np.nansum(numbers, 1) / counts
        for array in (numbers, mean):
            array.flags.writeable = False
        return cls(metric, fidelity, numbers, mean)

    @property
    def name(self) -> str:
        """``metric@fidelity``, or the metric alone."""
        return column_name(self.metric, self.fidelity)

    @property
    def seeds(self) -> int | None:
        """How many seeds are told apart; None where only one number is known, that counts as the mean."""
        return None if self.values.ndim == 1 else int(self.values.shape[1])

    def of_seed(self, seed: Seed) -> NDArray[np.float64]:
        """The numbers of a seed, or of ``"mean"``; NaN where a row lacks it. InputError lists the seeds there are."""
        if seed == "mean":
            return self.mean
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
            raise InputError(f"seed is \"mean\" or a whole number, found {seed!r}")
        if self.seeds is None:
            raise InputError(f"'{self.name}' has no single seeds, only seed=\"mean\"; found seed={seed}")
        if not 0 <= seed < self.seeds:
            last = self.seeds - 1
            raise InputError(
                f"'{self.name}' has seed {'0' if not last else f'0 to {last}'} and \"mean\"; found seed={seed}"
            )
        numbers: NDArray[np.float64] = self.values[:, seed]
        return numbers


@final
class Table:
    """The rows of a space with their columns, all read-only; ``len(table)`` is the number of rows.

    Parameters
    ----------
    name:
        What it is called.
    space:
        The search space whose architectures have rows.
    choices:
        (N, D): for each row the positions of its answers among the options of the space's decisions (−1: not asked).
    columns:
        ``metric@fidelity``, or ``metric``, to (N,) or (N, seeds) numbers.
    times:
        Metric to the metric whose columns hold its seconds of training. By default the one with the same first words
        that ends in ``train_seconds`` or ``cost``.
    key:
        Where several architectures of the space are one network: equal keys share a row. ``keys`` are those of the
        rows, where they are known already.
    curves:
        Gives the curves, when they are first asked for.
    about:
        Origin, licence and whatever else a reader should know: one line each.
    """

    def __init__(
        self,
        name: str,
        space: SearchSpace,
        choices: NDArray[Any],
        columns: Mapping[str, ArrayLike],
        *,
        times: Mapping[str, str] | None = None,
        key: Callable[[Mapping[str, Answer]], Hashable] | None = None,
        keys: Sequence[Hashable] | None = None,
        curves: Callable[[], Curves] | None = None,
        about: Mapping[str, str] | None = None,
        rows: Rows | None = None,
    ) -> None:
        self.name = name
        self.space = space
        self.about: Mapping[str, str] = MappingProxyType(dict(about or {}))
        self._rows = Rows(options_of(space.decisions), choices) if rows is None else rows
        if not columns:
            raise InputError(f"the table '{name}' has no column of numbers")
        made = [Column.of(column, values) for column, values in columns.items()]
        wrong = next((column for column in made if len(column.values) != len(self._rows)), None)
        if wrong is not None:
            raise InputError(
                f"the table '{name}' has {len(self._rows):,} architectures, its column '{wrong.name}' "
                f"{len(wrong.values):,} numbers"
            )
        self.columns: Mapping[str, Column] = MappingProxyType({column.name: column for column in made})
        self._by_metric: dict[str, dict[Fidelity, Column]] = {}
        for column in made:
            self._by_metric.setdefault(column.metric, {})[column.fidelity] = column
        self.times: Mapping[str, str] = MappingProxyType(
            dict(times) if times is not None else _usual_times(self._by_metric)
        )
        self._curves = curves
        self._read_curves: Curves | None = None
        self._key = key
        self._keyed: dict[Hashable, int] = {}
        if key is not None:
            found = map(key, map(self._rows.architecture, range(len(self)))) if keys is None else keys
            self._keyed = {one: row for row, one in enumerate(found)}
            if len(self._keyed) < len(self):
                raise InputError(
                    f"the table '{name}' has {len(self):,} rows, but only {len(self._keyed):,} different networks"
                )

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"Table({self.name}, {len(self):,} architectures, {len(self.columns)} columns)"

    # What there is

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that are neither costs nor seconds of training."""
        return tuple(metric for metric in self._by_metric if not is_cost(metric) and not is_time(metric))

    @property
    def costs(self) -> tuple[str, ...]:
        """The metrics that are known before training: parameters, multiply-adds, latencies, …."""
        return tuple(metric for metric in self._by_metric if is_cost(metric))

    def fidelities(self, metric: str) -> tuple[Fidelity, ...]:
        """The fidelities that a metric is known at, ascending (None, the full one of own tables, last)."""
        known = self._of_metric(metric)
        return tuple(sorted(known, key=lambda fidelity: (fidelity is None, fidelity or 0)))

    def column(self, name: str) -> Column:
        """The column called ``metric@fidelity``; InputError names the nearest, or the fidelities that there are."""
        metric, fidelity = parse_column(name)
        return self.find(metric, fidelity)

    def find(self, metric: str, fidelity: Fidelity) -> Column:
        """The column of a metric at a fidelity; InputError names the nearest metric, or the fidelities there are."""
        known = self._of_metric(metric)
        try:
            return known[fidelity]
        except (KeyError, TypeError):
            raise InputError(_no_fidelity(metric, fidelity, self.fidelities(metric))) from None

    # Rows

    def row(self, architecture: Mapping[str, Answer]) -> int:
        """The row of an architecture; ArchitectureError says which decision does not fit."""
        if not isinstance(architecture, Mapping):
            raise InputError(f"an architecture is a mapping of decisions to answers, found {architecture!r:.80}")
        row = self._find(architecture)
        if row < 0:
            raise self._outside(architecture)
        return row

    def rows(self, architectures: Iterable[Mapping[str, Answer]]) -> NDArray[np.int64]:
        """The rows of many architectures."""
        return np.fromiter(map(self.row, architectures), dtype=np.int64)

    def positions(self, architectures: Iterable[Mapping[str, Answer]]) -> NDArray[np.int16]:
        """(n, D): the position of each answer among the options of its decision, −1 where it is not asked."""
        architectures = list(architectures)
        try:
            return self._rows.positions(architectures)
        except KeyError:
            wrong = next(one for one in architectures if self._find(one) < 0)
            raise self._outside(wrong) from None

    def architecture(self, row: int) -> Architecture:
        """The architecture of a row; InputError for a row that is none."""
        if not 0 <= row < len(self):
            raise InputError(f"the rows of the table '{self.name}' are 0 to {len(self) - 1}, found {row}")
        return self._rows.architecture(row)

    def architectures(self) -> list[Architecture]:
        """All of them, in the order of the rows."""
        return [self._rows.architecture(row) for row in range(len(self))]

    @property
    def choices(self) -> NDArray[np.int16]:
        """(N, D): the positions of the answers of every row, −1 where a decision is not asked."""
        return self._rows.choices

    # Numbers

    def value(
        self, architecture: Mapping[str, Answer], metric: str, *, fidelity: Fidelity, seed: Seed = "mean"
    ) -> float:
        """The number of an architecture. ``seed`` is an index, or the mean over all of them."""
        column = self.find(metric, fidelity)
        row = self.row(architecture)
        number = float(column.of_seed(seed)[row])
        if number != number:
            there = np.flatnonzero(np.isfinite(column.values[row])).tolist()
            raise InputError(
                f"this architecture has no seed {seed} of '{column.name}', only {', '.join(map(str, there))}"
            )
        return number

    def seconds(self, architecture: Mapping[str, Answer], metric: str, *, fidelity: Fidelity) -> float:
        """The seconds of training that the number cost; InputError where they are not known."""
        return float(self.seconds_column(metric, fidelity).mean[self.row(architecture)])

    def seconds_column(self, metric: str, fidelity: Fidelity) -> Column:
        """The column of the seconds of training behind a metric at a fidelity."""
        self.find(metric, fidelity)
        if metric not in self.times:
            known = ", ".join(self.times) or "none"
            raise InputError(f"the table '{self.name}' has no seconds of training for '{metric}' (it has for: {known})")
        return self.find(self.times[metric], fidelity)

    def curve(
        self, architecture: Mapping[str, Answer], metric: str, *, fidelity: Fidelity, seed: Seed
    ) -> NDArray[np.float32]:
        """The numbers after each epoch of the run with this seed (or the mean over all).

        ``fidelity`` is the length of the whole run: its schedule depends on it. InputError where the table has none.
        """
        curves = self.curves
        name = column_name(metric, fidelity)
        if name not in curves:
            known = ", ".join(sorted(curves)) or "none"
            raise InputError(f"the table '{self.name}' has no curves of '{name}' (it has {known})")
        row = self.row(architecture)
        if row not in curves[name]:
            there = ", ".join(map(str, sorted(curves[name])[:5]))
            raise InputError(
                f"the table '{self.name}' has no curve of '{name}' for row {row}, only for {len(curves[name])} rows "
                f"({there}{', …' if len(curves[name]) > 5 else ''})"
            )
        numbers = curves[name][row]
        if seed == "mean":
            mean: NDArray[np.float32] = numbers.mean(0)
            return mean
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < len(numbers):
            raise InputError(f'the curves of \'{name}\' have seeds 0 to {len(numbers) - 1} and "mean", found {seed!r}')
        single: NDArray[np.float32] = numbers[seed]
        return single

    @property
    def curves(self) -> Curves:
        """All curves: ``metric@fidelity`` to row to (seeds, epochs) numbers; empty where there are none."""
        if self._curves is None:
            return {}
        if self._read_curves is None:
            self._read_curves = self._curves()
        return self._read_curves

    @property
    def keys(self) -> tuple[Hashable, ...] | None:
        """What names the network of each row, where several architectures are one network."""
        return tuple(self._keyed) if self._key is not None else None

    def evaluator(self, metrics: str | Sequence[str], *, fidelity: Fidelity, seed: Seed) -> TableEvaluator:
        """An evaluator for a study over ``table.space``; see :class:`TableEvaluator`."""
        from netwright.evaluators.tables.evaluator import TableEvaluator

        return TableEvaluator(self, (metrics,) if isinstance(metrics, str) else tuple(metrics), fidelity, seed)

    def named(self, name: str) -> Table:
        """The same table by another name."""
        other = copy.copy(self)
        other.name = name
        return other

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes it as the ``.npz`` that :func:`open_table` reads; the file is whole or not there at all."""
        from netwright.evaluators.tables.own import save_table

        return save_table(self, path)

    # Below: helpers in the order of use

    def _of_metric(self, metric: str) -> Mapping[Fidelity, Column]:
        try:
            return self._by_metric[metric]
        except KeyError:
            close = difflib.get_close_matches(metric, self._by_metric, n=1, cutoff=0.5)
            known = [name for name in self._by_metric if not name.startswith("latency_ms.")]
            raise InputError(
                f"the table '{self.name}' has no metric '{metric}'",
                hint=f"Did you mean '{close[0]}'?" if close else f"It has {', '.join(known)}",
            ) from None

    def _find(self, architecture: Mapping[str, Answer]) -> int:
        if self._key is None:
            return self._rows.find(architecture)
        return self._keyed.get(self._key(architecture), -1)

    def _outside(self, architecture: Mapping[str, Answer]) -> ArchitectureError:
        try:
            checked = self.space.validate(architecture)
        except ArchitectureError as error:
            return error
        return ArchitectureError(f"the table '{self.name}' has no row for the architecture {checked}")


def parse_column(name: str) -> tuple[str, Fidelity]:
    """``"cifar10.valid@12"`` → ``("cifar10.valid", 12)``; without ``@`` the fidelity is None."""
    metric, at, text = name.rpartition("@")
    if not at:
        metric, text = name, ""
    if not metric or (at and not text):
        raise InputError(f"'{name}' is not the name of a column: metric@fidelity, or metric")
    if not at:
        return metric, None
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not np.isfinite(number):
        raise InputError(f"the fidelity of '{name}' is a number, found '{text}'")
    return metric, int(number) if number.is_integer() else number


def column_name(metric: str, fidelity: Fidelity) -> str:
    """``metric@fidelity``, or the metric alone."""
    return metric if fidelity is None else f"{metric}@{fidelity:g}"


def is_cost(metric: str) -> bool:
    """Whether a metric is known before training."""
    words = metric.split(".")
    return any(word.startswith(COSTS) for word in (words[0], words[-1]))


def is_time(metric: str) -> bool:
    """Whether a metric is the seconds of training."""
    return metric.split(".")[-1] in TIMES


def _usual_times(metrics: Iterable[str]) -> dict[str, str]:
    known = list(metrics)
    times = {}
    for metric in known:
        if is_cost(metric) or is_time(metric):
            continue
        stem = metric.rpartition(".")[0]
        candidates = [f"{stem}.{word}" for word in TIMES] if stem else []
        found = next((name for name in [*candidates, *TIMES] if name in known), None)
        if found is not None:
            times[metric] = found
    return times


def _no_fidelity(metric: str, fidelity: Fidelity, known: Sequence[Fidelity]) -> str:
    asked = "without a fidelity" if fidelity is None else f"at fidelity {fidelity}"
    numbers = [f"{one:g}" for one in known if one is not None]
    there = [f"at {', '.join(numbers)}"] if numbers else []
    if None in known:
        there.append("without one (None)")
    return f"'{metric}' is not known {asked}, but {' and '.join(there)}"
