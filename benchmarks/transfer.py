"""What a portfolio of starts and another study's ranking save: trials until the same quality, on held-out data sets.

    python benchmarks/transfer.py [--sets iris,wine,…] [--trials 24] [--seeds 1] [--epochs 10] [--candidates 2]

Leave-one-out: for each data set the portfolio is made of the searches on the others alone, and the ranking is what
these searches learnt. Three searches by ``auto`` then have the same number of trials: from nothing but random
architectures, from the portfolio, and from the ranking of the set that is most alike in size, its best three first.
Reported is after how many trials each has a validation loss as good as the first one's best, and their ratio (a
geometric mean over sets and seeds). Aim: at most half of the trials, on at least five held-out sets.

Sets are those of scikit-learn, and ``spambase`` where $NETWRIGHT_DATA/tabular/spambase.csv.gz is there.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import netwright as nw
from netwright.architecture import Architecture
from netwright.space import SearchSpace
from netwright.strategies import Auto
from netwright.tasks.kinds import KINDS
from netwright.tasks.readers import Loaded, from_arrays, read
from netwright.tasks.spaces import find_space
from netwright.training.goals import read_goal
from netwright.zoo.baselines import baseline
from netwright.zoo.portfolio import greedy

SETS = ("iris", "wine", "breast_cancer", "digits", "diabetes", "spambase")
ROWS = 2_000


@dataclass(frozen=True)
class Task:
    """A data set, split, with the space of tables for it and how networks are trained on it."""

    name: str
    space: SearchSpace
    train: Any
    metric: str
    way: str
    fingerprint: str

    def search(self, trials: int, seed: int, **known: Any) -> list[tuple[Architecture, float]]:
        """The architectures of a search in their order, each with its score: larger is better, failed ones lowest."""
        way = {self.way: self.metric}
        study = nw.Study(self.space, Auto(**known), self.train, seed=seed, parallel=1, executor="in_process", **way)
        study.run(max_trials=trials, n_jobs=1)
        sign = 1 if self.way == "maximize" else -1
        return [(t.architecture, sign * t.metrics.get(self.metric, -sign * np.inf)) for t in study.trials]


def tasks_of(names: Sequence[str], epochs: int, seed: int = 0) -> Iterator[Task]:
    """The data sets that are there."""
    for name in names:
        loaded = load(name)
        if loaded is None:
            print(f"{name}: not here, left out")
            continue
        parts = loaded.split(seed)
        loaded = loaded.learned_on(parts.development)
        data = loaded.data
        space = find_space(
            None, kind="tables", input_shape=data.input_shape, outputs=data.outputs, facts=data.facts
        ).space
        goal = read_goal(data.task)
        own = dict(baseline(KINDS["tables"].baseline).recipe)
        recipe = nw.training.Recipe(**{**own, "epochs": epochs})
        if data.task == "regression":
            recipe = recipe.replace(label_smoothing=0.0)
        train = nw.evaluators.Train(data, recipe, split=parts, keep=False)
        # By the loss: a tenth of a small set tells more of it than the number of right answers does.
        yield Task(name, space, train, "val_loss", "minimize", f"{goal.name}, {len(data):,} rows")


def load(name: str) -> Loaded | None:
    """A table by its name; digits as rows of pixels."""
    if name == "digits":
        from sklearn.datasets import load_digits

        return from_arrays(*load_digits(return_X_y=True), task="table-classification", name=name)
    if name == "spambase":
        file = Path(os.environ.get("NETWRIGHT_DATA", "")) / "tabular" / "spambase.csv.gz"
        if not file.is_file():
            return None
        rows = np.genfromtxt(file, delimiter=",", skip_header=1, dtype=str)
        rows = rows[np.random.default_rng(0).permutation(len(rows))[:ROWS]]
        return from_arrays(rows[:, :-1].astype(float), rows[:, -1], task="table-classification", name=name)
    return read(name)


def matrix(tasks: Sequence[Task], candidates: Sequence[Architecture], seed: int) -> np.ndarray:
    """The score of each candidate on each data set, larger being better; what cannot be trained is the worst there."""
    rows = []
    for task in tasks:
        answers = [task.space.answers_of(candidate) for candidate in candidates]
        rng = np.random.default_rng(0)
        starts = [task.space.complete(each, rng) for each in answers]
        found = dict(task.search(len(set(starts)), seed, starts=starts))
        row = np.array([found.get(start, -np.inf) for start in starts])
        low = row[np.isfinite(row)].min()
        rows.append(np.where(np.isfinite(row), row, low))
    return np.stack(rows)


def best_of(found: Sequence[tuple[Architecture, float]], count: int) -> list[Architecture]:
    """The best different architectures of a search."""
    ordered = sorted(found, key=lambda pair: -pair[1])
    return list(dict.fromkeys(architecture for architecture, _ in ordered))[:count]


def needed(found: Sequence[tuple[Architecture, float]], quality: float) -> int:
    """After how many trials a search has a score as good as that; one more than it has trials if never."""
    return next((place for place, (_, score) in enumerate(found, 1) if score >= quality), len(found) + 1)


def main(names: Sequence[str], trials: int, seeds: int, epochs: int, count: int) -> None:
    """Searches each set from nothing, then each again from what the others have found."""
    tasks = list(tasks_of(names, epochs))
    ratios: dict[str, list[float]] = {"portfolio": [], "ranking": []}
    print(f"{'held out':15}{'seed':>5}{'from nothing':>14}{'portfolio':>11}{'ranking':>9}   trials to its best loss")
    for seed in range(seeds):
        plain = {task.name: task.search(trials, seed) for task in tasks}
        candidates = {name: best_of(found, count) for name, found in plain.items()}
        everyone = [architecture for some in candidates.values() for architecture in some]
        owner = [name for name, some in candidates.items() for _ in some]
        scores = matrix(tasks, everyone, seed)
        for place, task in enumerate(tasks):
            others = [row for row in range(len(tasks)) if row != place]
            columns = [column for column, name in enumerate(owner) if name != task.name]
            taken = greedy(scores[np.ix_(others, columns)], 4)
            starts = [task.space.answers_of(everyone[columns[each]]) for each in taken]
            size = len(task.train.data)
            near = min(others, key=lambda row: abs(np.log(len(tasks[row].train.data) / size)))
            there = [pair for pair in plain[tasks[near].name] if np.isfinite(pair[1])]
            known = [(dict(a), score) for a, score in there if a in task.space]
            first = [task.space.answers_of(a) for a in best_of(there, 3)]
            found = {
                "portfolio": task.search(trials, seed, starts=starts),
                "ranking": task.search(trials, seed, starts=first, known=known),
            }
            quality = max(score for _, score in plain[task.name])
            usual = needed(plain[task.name], quality)
            counts = {name: needed(each, quality) for name, each in found.items()}
            for name, each in counts.items():
                ratios[name].append(each / usual)
            print(f"{task.name:15}{seed:5}{usual:14}{counts['portfolio']:11}{counts['ranking']:9}", flush=True)
    for name, each in ratios.items():
        mean = float(np.exp(np.mean(np.log(each))))
        print(f"{name}: {mean:.2f} of the trials (geometric mean of {len(each)}; half or less in "
              f"{sum(ratio <= 0.5 for ratio in each)} of them)")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--candidates", type=int, default=2)
    options = parser.parse_args()
    main(options.sets.split(","), options.trials, options.seeds, options.epochs, options.candidates)
