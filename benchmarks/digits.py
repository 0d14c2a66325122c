"""The main job: digits in 60 seconds for several seeds, each of which sets the split, the search and the training.

    python benchmarks/digits.py [--seeds 5] [--time-limit 60s] [--jobs 2]

Aims: mean test accuracy at least 0.990, and the paired difference from the pinned baseline not below zero beyond its
interval, at no more than half of the baseline's MACs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def search(data: str, seed: int, time_limit: str, jobs: int, folder: Path, asked: Sequence[str] = ()) -> dict[str, Any]:
    """One search from the command line; its JSON, with the seconds from start to end of the process."""
    command = [sys.executable, "-m", "netwright", "search", data, "--time-limit", time_limit, "--jobs", str(jobs)]
    began = time.perf_counter()
    done = subprocess.run(
        [
            *command,
            *asked,
            "--seed",
            str(seed),
            "--out",
            str(folder / f"{Path(data).stem}-{seed}"),
            "--json",
            "--quiet",
        ],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return {**found, "wall": time.perf_counter() - began}


def report(data: str, seeds: int, time_limit: str, jobs: int, asked: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Runs the seeds one after another, with more options of the command; prints a line for each, and the means."""
    print("seed  found    baseline       MACs  share   params  trials  seconds  verdict")
    results = []
    with tempfile.TemporaryDirectory() as name:
        for seed in range(seeds):
            found = search(data, seed, time_limit, jobs, Path(name), asked)
            test, rival, best = found["test"], found["baseline"], found["best"]
            print(
                f"{seed:>4}  {test['score']:.4f}   {rival['score']:.4f}   {best['macs']:>9,}  "
                f"{best['macs'] / rival['macs']:>5.2f}  {best['params']:>7,}  {found['trials']:>6}  "
                f"{found['seconds']:>7.1f}  {found['verdict']['result']}",
                flush=True,
            )
            results.append(found)
    ours = [found["test"]["score"] for found in results]
    theirs = [found["baseline"]["score"] for found in results]
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    spread = statistics.stdev(differences) / len(differences) ** 0.5 if len(differences) > 1 else float("nan")
    print(f"mean found {statistics.mean(ours):.4f}, baseline {statistics.mean(theirs):.4f}")
    print(f"difference {statistics.mean(differences):+.4f} ± {2 * spread:.4f} (two standard errors over seeds)")
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--time-limit", default="60s")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    report("digits", options.seeds, options.time_limit, options.jobs)
