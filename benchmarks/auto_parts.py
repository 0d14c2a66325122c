"""What each part of ``auto`` brings: the same searches of a table with one part taken away.

    python benchmarks/auto_parts.py [TABLE] [--seeds 40] [--metrics m@f,n@f] [--parts "nothing,rank warping"] [--jobs 2]

Simple regret on the searched metric after 10, 25 and 50 single trials, the mean over the seeds and, in brackets, its
standard error. Parameters and multiplications come from the table, as proxies. A part is taken away by replacing one
name of the module that it stands in, so this file must change with those.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any
from unittest.mock import patch

import numpy as np

from netwright.evaluators.tables import Table, open_table
from netwright.strategies import Auto, auto, informed
from netwright.trial import PROXY, Objective, State, Trial

POINTS = (10, 25, 50)


class Straight:
    """In place of the ranks' normal scores: the scores themselves, to mean 0 and deviation 1."""

    def __init__(self, scores: Any) -> None:
        self.mean, self.spread = float(np.mean(scores)), float(np.std(scores)) or 1.0

    def forward(self, scores: Any) -> Any:
        """The scores in standard units."""
        return (np.asarray(scores) - self.mean) / self.spread


PARTS: dict[str, list[Callable[[], Any]]] = {
    "nothing": [],
    "free knowledge": [lambda: patch.object(auto, "PROBES", 0)],
    "rank warping": [lambda: patch.object(informed, "NormalScores", Straight)],
    "expected improvement (greedy)": [
        lambda: patch.object(auto, "_log_expected_improvement", lambda mean, spread, best: mean)
    ],
    "local candidates": [lambda: patch.multiple(auto, NEIGHBOURS=0, LOCAL=0, RANDOM=auto.RANDOM + auto.LOCAL)],
    "random candidates": [lambda: patch.object(auto, "RANDOM", 0)],
    "belief in hints": [lambda: patch.object(informed, "BELIEF", 0.0)],
    "tuned weights": [lambda: patch.object(informed, "GROWTH", np.inf)],
}


def regrets(table: str, metric: str, part: str, seed: int) -> list[float]:
    """The regret of one search at each of POINTS."""
    opened = _opened(table)
    name, _, fidelity = metric.partition("@")
    values = opened.find(name, int(fidelity)).mean
    costs = {cost: opened.column(cost).mean for cost in _costs(opened, name)}
    patches = [make() for make in PARTS[part]]
    for each in patches:
        each.start()
    try:
        found = _search(opened, values, costs, seed)
    finally:
        for each in patches:
            each.stop()
    best = np.maximum.accumulate(found)
    return [float(values.max() - best[point - 1]) for point in POINTS]


def _search(table: Table, values: Any, costs: dict[str, Any], seed: int) -> list[float]:
    strategy = Auto(proxies=True)
    strategy.start(table.space, (Objective("score", "maximize"),))
    found: list[float] = []
    number = 0
    while len(found) < POINTS[-1]:
        proposal = strategy.ask(np.random.default_rng([seed, number]))
        row = table.row(proposal.architecture)
        if proposal.budget == PROXY:
            metrics = {cost: float(column[row]) for cost, column in costs.items()}
        else:
            metrics = {"score": float(values[row])}
            found.append(metrics["score"])
        strategy.tell(Trial(number, proposal, State.FINISHED, metrics))
        number += 1
    return found


def _costs(table: Table, metric: str) -> list[str]:
    stem = metric.partition(".")[0]
    named = [name for name in table.costs if name.rpartition(".")[2] in ("params", "macs")]
    return [name for name in named if name.startswith(stem + ".")] or named


_TABLES: dict[str, Table] = {}


def _opened(name: str) -> Table:
    if name not in _TABLES:
        _TABLES[name] = open_table(name)
    return _TABLES[name]


def main() -> None:
    """Prints a line for each part, metric by metric."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", nargs="?", default="nasbench201")
    parser.add_argument("--metrics", default="cifar100.valid@200,imagenet16-120.valid@12")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    with ProcessPoolExecutor(given.jobs) as pool:
        for metric in given.metrics.split(","):
            print(f"{metric}, {given.seeds} seeds: without …".ljust(48), *(f"{f'after {at}':>16}" for at in POINTS))
            for part in given.parts.split(","):
                runs = [pool.submit(regrets, given.table, metric, part, seed) for seed in range(given.seeds)]
                rows = np.array([run.result() for run in runs])
                mean, error = rows.mean(axis=0), rows.std(axis=0) / np.sqrt(len(rows))
                print(
                    part.ljust(48),
                    *(f"{f'{m:.3f} ({e:.3f})':>16}" for m, e in zip(mean, error, strict=True)),
                    flush=True,
                )


if __name__ == "__main__":
    main()
