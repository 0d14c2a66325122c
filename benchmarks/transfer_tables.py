"""What a portfolio and another study's ranking save on tables: trials until the same quality, on held-out data sets.

    python benchmarks/transfer_tables.py [--table nasbench-graph] [--trials 50] [--known 50] [--seeds 3]

Leave-one-out over the data sets of a table, whose architectures were all trained on all of them. For each data set
``auto`` searches from nothing; from a portfolio of four, made greedily of the five best that searches on the others
found; and from the ranking of a search on the data set before it in the table, with its best three first. Reported is
after how many trials each is as good, by the metric that is searched, as the first one is in the end, and the geometric
mean of the ratio. Aim: at most half.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

from netwright.architecture import Architecture
from netwright.evaluators.tables import open_table
from netwright.strategies import Auto
from netwright.trial import Objective, State, Trial
from netwright.zoo.portfolio import greedy

OBJECTIVE = Objective("score", "maximize")
Found = list[tuple[Architecture, float]]


def search(table: Any, column: Any, trials: int, seed: int, **known: Any) -> Found:
    """The architectures of a search in their order, each with its value."""
    strategy = Auto(**known)
    strategy.start(table.space, (OBJECTIVE,))
    found: Found = []
    for number in range(trials):
        proposal = strategy.ask(np.random.default_rng([seed, number]))
        if proposal is None:
            break
        value = float(column[table.row(proposal.architecture)])
        strategy.tell(Trial(number, proposal, State.FINISHED, {"score": value}))
        found.append((proposal.architecture, value))
    return found


def needed(found: Found, quality: float) -> int:
    """After how many trials a search is as good; one more than it has if never."""
    return next((place for place, (_, score) in enumerate(found, 1) if score >= quality), len(found) + 1)


def best(found: Found, count: int) -> list[Architecture]:
    """The best of a search."""
    return [architecture for architecture, _ in sorted(found, key=lambda pair: -pair[1])[:count]]


def main(name: str, trials: int, known: int, seeds: int) -> None:
    """Prints a line for each data set and seed, and the means."""
    table = open_table(name)
    names = [metric for metric in table.metrics if metric.endswith((".valid", ".x-valid"))]
    columns = {}
    for metric in names:
        last = [each for each in table.fidelities(metric) if each is not None][-1:]
        columns[metric] = np.asarray(table.column(f"{metric}@{last[0]:g}" if last else metric).mean)
    ratios: dict[str, list[float]] = {"portfolio": [], "ranking": []}
    print(f"{'held out':20}{'seed':>5}{'from nothing':>14}{'portfolio':>11}{'ranking':>9}")
    for seed in range(seeds):
        # Other seeds than those of the searches that are compared: a start must not be known by the same luck.
        before = {metric: search(table, columns[metric], known, 1000 + seed) for metric in names}
        for place, metric in enumerate(names):
            others = [each for each in names if each != metric]
            candidates = list(dict.fromkeys(a for each in others for a in best(before[each], 5)))
            rows = [table.row(architecture) for architecture in candidates]
            taken = greedy(np.stack([columns[each][rows] for each in others]), 4)
            plain = search(table, columns[metric], trials, seed)
            other = before[names[place - 1]]
            found = {
                "portfolio": search(table, columns[metric], trials, seed, starts=[candidates[each] for each in taken]),
                "ranking": search(table, columns[metric], trials, seed, starts=best(other, 3), known=other),
            }
            quality = max(score for _, score in plain)
            usual = needed(plain, quality)
            counts = {way: needed(each, quality) for way, each in found.items()}
            for way, each in counts.items():
                ratios[way].append(each / usual)
            print(f"{metric:20}{seed:5}{usual:14}{counts['portfolio']:11}{counts['ranking']:9}", flush=True)
    for way, each in ratios.items():
        print(f"{way}: {mean_of(each):.2f} of the trials (geometric mean of {len(each)}; half or less in "
              f"{sum(ratio <= 0.5 for ratio in each)})")  # fmt: skip


def mean_of(ratios: Sequence[float]) -> float:
    """The geometric mean."""
    return float(np.exp(np.mean(np.log(ratios))))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", default="nasbench-graph")
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--known", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    main(options.table, options.trials, options.known, options.seeds)
