"""What a bench costs: five strategies by a hundred seeds by two hundred queries on NAS-Bench-201.

    python benchmarks/bench_speed.py [TABLE] [--seeds 100] [--queries 200] [--jobs 2]

Aim: at most 60 s on two cores, everything included: workers, strategies, the store, tests, pictures and page.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from netwright.bench import compare

STRATEGIES = ("random", "evolution(population=10,tournament=3)", "local-search", "reinforce", "nsga2")
AIM = 60.0


def main(table: str, seeds: int, queries: int, jobs: int) -> None:
    """Runs the bench in a folder that is then removed, and prints its time and each strategy's share."""
    with tempfile.TemporaryDirectory() as folder:
        began, processor = time.perf_counter(), time.process_time()
        done = compare(
            table,
            STRATEGIES,
            seeds=seeds,
            queries=queries,
            maximize="cifar10.valid@12",
            score="cifar10.test@200",
            jobs=jobs,
            out=Path(folder) / "bench",
        )
        wall, own = time.perf_counter() - began, time.process_time() - processor
    used = 0.0
    for name, runs in done.runs.items():
        spent = float(runs.own.sum())
        print(f"{name:40} {1e3 * spent / seeds / queries:6.2f} ms of processor time a trial, {spent:6.1f} s in all")
        used += spent
    total = len(STRATEGIES) * seeds * queries
    print(f"{total:,} trials with {jobs} jobs: {wall:.1f} s (aim {AIM:.0f} s)")
    alone = used / jobs + own
    print(f"processor time: {used:.1f} s of the runs, {own:.1f} s of this process; {alone:.1f} s if nothing "
          "else ran here")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", nargs="?", default="nasbench201")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    main(options.table, options.seeds, options.queries, options.jobs)
