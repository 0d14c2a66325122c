"""From single runs to a table: what the official files of NAS-Bench-201 and NATS-Bench hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.architecture import Architecture
from netwright.errors import InputError
from netwright.evaluators.tables.rows import Rows, options_of
from netwright.evaluators.tables.table import Table, column_name, parse_column
from netwright.space import SearchSpace

METRICS: Mapping[tuple[str, str], str] = {
    ("cifar10-valid", "train"): "cifar10.train",
    ("cifar10-valid", "train-loss"): "cifar10.train_loss",
    ("cifar10-valid", "x-valid"): "cifar10.valid",
    ("cifar10", "ori-test"): "cifar10.test",
    **{
        (there, split): f"{dataset}.{word}"
        for there, dataset in (("cifar100", "cifar100"), ("ImageNet16-120", "imagenet16-120"))
        for split, word in (
            ("train", "train"),
            ("train-loss", "train_loss"),
            ("x-valid", "valid"),
            ("x-test", "test"),
            ("ori-test", "valtest"),
        )
    },
}
"""From the benchmark's data set and split to a metric. What is not here, such as the run on all of CIFAR-10's training
images on its training images, has no use in a search."""
TIMED = {"cifar10-valid": "cifar10", "cifar100": "cifar100", "ImageNet16-120": "imagenet16-120"}
"""The runs whose seconds count, and whose parameters and multiply-adds are told."""
WITH_CURVES = 1_000
"""So many architectures keep their curves in memory; of more, the last epoch is kept."""


@dataclass(frozen=True)
class Run:
    """One training: of which architecture, how long, on what, by which seed; ``numbers`` has one list a split."""

    text: str
    epochs: int
    dataset: str
    seed: int
    numbers: Mapping[str, Sequence[float]]
    seconds: float | None
    params: float | None
    macs: float | None


def table_of_runs(
    name: str,
    space: SearchSpace,
    runs: Iterable[Run],
    from_string: Callable[[str], Architecture],
    texts: Sequence[str],
    about: Mapping[str, str],
) -> Table:
    """The table of the runs, its rows in the order of ``texts`` (those without runs are left out)."""
    many = len(texts) > WITH_CURVES
    gathered: dict[str, dict[str, dict[int, Sequence[float]]]] = {}
    costs: dict[str, dict[str, dict[int, float]]] = {}
    for run in runs:
        for split, numbers in run.numbers.items():
            metric = METRICS.get((run.dataset, split))
            if metric is not None and len(numbers):
                column = gathered.setdefault(column_name(metric, run.epochs), {})
                column.setdefault(run.text, {})[run.seed] = list(numbers[-1:] if many else numbers)
        dataset = TIMED.get(run.dataset)
        if dataset is not None:
            known = ((f"{dataset}.train_seconds@{run.epochs}", run.seconds),
                     (f"{dataset}.params", run.params), (f"{dataset}.macs", run.macs))  # fmt: skip
            for key, value in known:
                if value is not None:
                    costs.setdefault(key, {}).setdefault(run.text, {})[run.seed] = value
    found = {text for column in gathered.values() for text in column}
    rows = [text for text in texts if text in found]
    if not rows:
        raise InputError(f"there is no run of {name} in it")
    columns: dict[str, NDArray[Any]] = {}
    curves: dict[str, dict[int, NDArray[np.float32]]] = {}
    for key, column in gathered.items():
        # A metric that some architectures lack could not be searched.
        if len(column) == len(rows):
            columns[key] = _padded([[by_seed[seed][-1] for seed in sorted(by_seed)] for by_seed in
                                    (column[text] for text in rows)])  # fmt: skip
        epochs = parse_column(key)[1]
        # Some splits were judged after the last epoch alone, which makes no curve.
        whole = {text for text, by_seed in column.items() if {len(one) for one in by_seed.values()} == {epochs}}
        if not many and whole:
            curves[key] = {
                row: np.array([column[text][seed] for seed in sorted(column[text])], dtype=np.float32)
                for row, text in enumerate(rows)
                if text in whole
            }
    for key, column_of_costs in costs.items():
        if len(column_of_costs) == len(rows):
            columns[key] = np.array([np.mean(list(column_of_costs[text].values())) for text in rows])
    architectures = [from_string(text) for text in rows]
    options = options_of(space.decisions)
    choices = np.array([[options[key].index(one[key]) for key in options] for one in architectures])
    held = Rows(options, choices)
    made = space if held.complete else SearchSpace(space.network, where=held, **space.arguments)
    return Table(
        name,
        made,
        choices,
        columns,
        times=_times(columns),
        about=about,
        rows=held,
        curves=(lambda: curves) if curves else None,
    )


def _padded(values: list[list[float]]) -> NDArray[np.float64]:
    width = max(map(len, values))
    return np.array([row + [np.nan] * (width - len(row)) for row in values])


def _times(columns: Iterable[str]) -> dict[str, str]:
    known = list(columns)
    metrics = [name.partition("@")[0] for name in known]
    return {
        metric: f"{metric.partition('.')[0]}.train_seconds"
        for metric in metrics
        if metric != "cifar10.test"
        and not metric.endswith(("params", "macs", "train_seconds"))
        and f"{metric.partition('.')[0]}.train_seconds" in metrics
    }

