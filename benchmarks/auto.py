"""How far ``auto`` is ahead: regret on what is searched, against every strategy that a user could pick instead.

    python benchmarks/auto.py [TABLE] [--seeds 100] [--queries 200] [--against a,b] [--metrics m@f,n@f] [--out DIR]

Simple regret on the searched metric after 25, 50, 100 and 200 queries, the mean over the seeds and, in brackets, its
standard error; for each opponent the one-sided paired bootstrap over the same seeds, Holm's correction over all that
one call compares. "ahead": p < .05, or both under .03 points of a hundred. Runs are kept in DIR: the same call again
goes on.
``--auto "auto(budgets=(200,))"`` takes the ladder of the table's budgets away.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from netwright.bench import compare
from netwright.bench.comparing import split
from netwright.evaluators.tables import open_table
from netwright.statistics import holm, paired_tests

AGAINST = "optuna-tpe,evolution(population=20,tournament=5),evolution(population=10,tournament=3),local-search,random"
DATA = ("cifar10", "cifar100", "imagenet16-120")
METRICS = ",".join(f"{name}.valid@{epochs}" for name in DATA for epochs in (12, 200))
POINTS = (10, 25, 50, 100, 200)
NOISE = 0.03


def main(
    table: str, metrics: list[str], ours: str, against: list[str], seeds: int, queries: int, jobs: int, out: Path
) -> None:
    """Runs the bench metric by metric, prints the regrets, then the tests."""
    opened = open_table(table)
    points = [point for point in POINTS if point <= queries]
    tests: list[tuple[str, str, int, float, float, float]] = []
    for metric in metrics:
        name, _, fidelity = metric.partition("@")
        values = opened.find(name, int(fidelity) if fidelity else None).mean
        unit = 0.01 if values.max() <= 1 else 1.0  # shares or percents
        folder = out / metric.replace("@", "-")
        done = compare(
            table, [ours, *against], seeds=seeds, queries=queries, maximize=metric, jobs=jobs, out=folder, report=False
        )
        print(f"\n{metric} (the best of all has {values.max():.2f}), {seeds} seeds")
        print(f"{'':42}" + "".join(f"{f'after {point}':>16}" for point in points) + f"{'s a run':>10}")
        regrets = {}
        for strategy, runs in done.runs.items():
            rows = runs.rows[:, [point - 1 for point in points]]
            regrets[strategy] = np.where(rows >= 0, values.max() - values[rows], np.ptp(values))
            mean, error = regrets[strategy].mean(axis=0), regrets[strategy].std(axis=0) / np.sqrt(len(rows))
            cells = "".join(f"{f'{m:.3f} ({e:.3f})':>16}" for m, e in zip(mean, error, strict=True))
            print(f"{strategy:42}{cells}{runs.own.mean():>10.2f}", flush=True)
        for opponent in against:
            found = paired_tests(regrets[ours], regrets[opponent], alternative="less", draws=100_000)
            for place, (point, test) in enumerate(zip(points, found, strict=True)):
                means = (float(regrets[name][:, place].mean()) for name in (ours, opponent))
                tests.append((metric, opponent, point, test.p, *means))
        print("", end="", flush=True)
    print(f"\n{'searched':26}{'against':42}{'after':>6}{'ours':>8}{'theirs':>8}{'p, Holm':>10}")
    for (metric, opponent, point, _, mine, theirs), p in zip(tests, holm([test[3] for test in tests]), strict=True):
        ahead = p < 0.05 or max(mine, theirs) < NOISE * unit
        figures = f"{point:>6}{mine:>8.3f}{theirs:>8.3f}{p:>10.4f}"
        print(f"{metric:26}{opponent:42}{figures}  {'ahead' if ahead else 'NOT ahead'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", nargs="?", default="nasbench201")
    parser.add_argument("--metrics", default=METRICS)
    parser.add_argument("--auto", default="auto")
    parser.add_argument("--against", default=AGAINST)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        main(
            given.table, split(given.metrics), given.auto, split(given.against), given.seeds, given.queries,
            given.jobs, given.out or Path(temporary),
        )  # fmt: skip
