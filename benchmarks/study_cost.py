"""What a study costs a trial, with an evaluator that costs nothing, and against Optuna on SQLite in the same run.

    python benchmarks/study_cost.py [--trials 10000] [--blocks 8]

Aims: at most 3 ms a trial at 10,000 trials with the durable store; the last thousand at most 1.5 times the first; at
least 20 times Optuna's trials a second for the same content. The search is evolution over the demo's space; Optuna
searches the same decisions by random draws, which cost it least.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import netwright as nw
from netwright.zoo import SPACES


def space() -> nw.SearchSpace:
    """The space of the demo."""
    return nw.SearchSpace(SPACES["compact-images"].network, input_shape=(1, 8, 8), classes=10)


def score(candidate: Any) -> dict[str, float]:
    """A number from the answers, in no time."""
    return {"score": float(len(candidate.architecture.to_json()))}


def make(folder: Path, *callbacks: Any) -> nw.Study:
    """A durable study in this process."""
    options = {"executor": "in_process", "inherit": False, "callbacks": callbacks}
    return nw.Study(space(), "evolution", score, maximize="score", store=folder, **options)


def optuna_trials(folder: Path) -> Callable[[int], None]:
    """Runs so many more trials of Optuna on SQLite over the same decisions."""
    import optuna

    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(logging.ERROR)
    made = optuna.create_study(
        storage=f"sqlite:///{folder / 'optuna.db'}", sampler=optuna.samplers.RandomSampler(seed=0)
    )
    decisions = space().decisions

    def run(count: int) -> None:
        for _ in range(count):
            trial = made.ask()
            for decision in decisions:
                trial.suggest_categorical(decision.name, list(decision.options))
            made.tell(trial, 1.0)

    return run


def main(trials: int, blocks: int) -> None:
    """Prints the cost at each thousand, the growth, and the ratio to Optuna."""
    marks: list[tuple[float, float]] = []

    def mark(_: nw.Study, trial: nw.Trial) -> None:
        if (trial.number + 1) % 1000 == 0:
            marks.append((time.perf_counter(), time.process_time()))

    with tempfile.TemporaryDirectory() as name, make(Path(name) / "study", mark) as study:
        study.run(max_trials=100)
        marks.append((time.perf_counter(), time.process_time()))
        study.run(max_trials=trials)
        counts = [900] + [1000] * (len(marks) - 2)
        pairs = zip(marks[:-1], marks[1:], counts, strict=True)
        costs = [((b[0] - a[0]) / count * 1e3, (b[1] - a[1]) / count * 1e3) for a, b, count in pairs]
        for upto, (wall, processor) in enumerate(costs, start=1):
            print(f"{1000 * upto:>6} trials: {wall:.2f} ms a trial, {processor:.2f} ms of it processor")
        if len(costs) > 1:
            print(
                f"last thousand / first: {costs[-1][0] / costs[0][0]:.2f} ({costs[-1][1] / costs[0][1]:.2f} processor)"
            )
    with tempfile.TemporaryDirectory() as name:
        optuna = optuna_trials(Path(name))
        ratios = []
        with make(Path(name) / "study") as study:
            for block in range(blocks):
                began = time.perf_counter()
                study.run(max_trials=200 * (block + 1))
                ours = (time.perf_counter() - began) / 200
                began = time.perf_counter()
                optuna(20)
                ratios.append((time.perf_counter() - began) / 20 / ours)
        print(f"Optuna's time / ours: median {statistics.median(ratios):.1f} of {blocks} blocks "
              f"({min(ratios):.1f} to {max(ratios):.1f})")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--blocks", type=int, default=8)
    options = parser.parse_args()
    main(options.trials, options.blocks)
