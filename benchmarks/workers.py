"""How many more trials two workers do than one: the same trials of a digits search, in pairs, in one run.

    python benchmarks/workers.py [--pairs 3] [--trials 24]

Aim: at least 1.8 times as many on two cores. Imports and the start of the workers are not counted: the clock runs from
the first trial's start to the last one's end.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import netwright as nw
from netwright.tasks.readers import read
from netwright.training import Recipe, split
from netwright.zoo import SPACES
from netwright.zoo.baselines import baseline


def seconds(folder: Path, n_jobs: int, trials: int) -> float:
    """The time of so many trials with so many workers, from a warm start."""
    data = read("digits").data.save(folder / "data")
    space = nw.SearchSpace(SPACES["compact-images"].network, input_shape=data.input_shape, classes=data.outputs)
    recipe = Recipe(**baseline("digits").recipe)
    train = nw.evaluators.Train(data, recipe, split=split(data.y, 0), epochs=15)
    study = nw.Study(space, "random", train, maximize="val_accuracy", store=folder / "study", seed=0)
    with study:
        study.run(max_trials=n_jobs, n_jobs=n_jobs)
        began = time.perf_counter()
        study.run(max_trials=n_jobs + trials, n_jobs=n_jobs)
        return time.perf_counter() - began


def main(pairs: int, trials: int) -> None:
    """Prints the ratio of each pair, alternating which comes first, and their median."""
    ratios = []
    for pair in range(pairs):
        took = {}
        for n_jobs in (1, 2) if pair % 2 == 0 else (2, 1):
            with tempfile.TemporaryDirectory() as name:
                took[n_jobs] = seconds(Path(name), n_jobs, trials)
        ratios.append(took[1] / took[2])
        print(f"{trials} trials: one worker {took[1]:.1f} s, two workers {took[2]:.1f} s, ratio {ratios[-1]:.2f}")
    print(f"median ratio {statistics.median(ratios):.2f} (of {pairs}; {min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--trials", type=int, default=24)
    options = parser.parse_args()
    main(options.pairs, options.trials)
