"""Forecasts: a search beside the seasonal naive forecast, by the mean absolute scaled error on the last fifth.

    python benchmarks/forecast.py FOLDER [--time-limit 60s] [--seeds 1] [--sets airline,…] [--jobs 2]
    python benchmarks/forecast.py --file sold.csv --target sold --horizon 14 [--date day]

FOLDER holds univariate/Airline.csv and univariate/Lynx.csv (as the package aeon ships them) and
cta_ridership_daily.csv.gz (github.com/ageron/data). Aim: below the naive forecast on every set. Both errors are means
over the same test windows, in units of the naive error on the steps before.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from netwright import tasks
from netwright.tasks import forecast

SETS: dict[str, tuple[str, dict[str, Any]]] = {
    "airline": ("univariate/Airline.csv", {"target": "Passengers", "horizon": 12}),
    "lynx": ("univariate/Lynx.csv", {"target": "0", "date": "Unnamed: 0", "horizon": 10}),
    "bus": ("cta_ridership_daily.csv.gz", {"target": "bus", "horizon": 14}),
    "rail": ("cta_ridership_daily.csv.gz", {"target": "rail_boardings", "horizon": 14}),
}


def main(sets: dict[str, tuple[Path, dict[str, Any]]], time_limit: str, seeds: int, jobs: int) -> None:
    """A line a set and seed."""
    for name, (file, options) in sets.items():
        cut = forecast.windows(pd.read_csv(file), **options)
        parts = forecast.split(cut, 0, own=False)
        constants = forecast.learn(cut, parts.development)
        naive = forecast.naive(constants, forecast.apply(constants, cut))
        rival = float(np.abs(naive - forecast.targets(constants, cut))[parts.test].mean())
        for seed in range(seeds):
            began = time.perf_counter()
            with tempfile.TemporaryDirectory() as scratch:
                outcome = tasks.search(
                    cut, task="forecast", time_limit=time_limit, n_jobs=jobs, seed=seed, out=Path(scratch) / "run"
                )
            ours, linear = outcome.winner, outcome.baseline
            print(
                f"{name:8} seed {seed}  found {ours.score:.4f} ({ours.low:.4f} to {ours.high:.4f})  seasonal naive"
                f" {rival:.4f}  linear {linear.score:.4f}  season {cut.season}, {len(parts.test)} test windows,"
                f" {ours.params:,} parameters, {outcome.best.architecture['network']},"
                f" {time.perf_counter() - began:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--file", type=Path, help="any CSV file in place of the sets; with --target and --horizon")
    parser.add_argument("--target")
    parser.add_argument("--horizon", type=int)
    parser.add_argument("--date")
    parser.add_argument("--time-limit", default="60s")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    if given.file is not None and given.horizon is not None:
        own = {"target": given.target, "horizon": given.horizon, "date": given.date}
        chosen = {given.file.stem: (given.file, own)}
    elif given.folder is not None and given.file is None:
        chosen = {name: (given.folder / SETS[name][0], SETS[name][1]) for name in given.sets.split(",")}
    else:
        parser.error("give a FOLDER, or --file with --target and --horizon")
    main(chosen, given.time_limit, given.seeds, given.jobs)
