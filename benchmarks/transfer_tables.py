"""What a portfolio and another study's ranking save on tables: trials until the same quality, on held-out data sets.

    python benchmarks/transfer_tables.py [--table nasbench-graph] [--trials 50] [--known 50] [--seeds 3]

Leave-one-out over the data sets of a table, whose architectures were all trained on all of them. For each data set
``auto`` searches from nothing; from four random architectures, the control; from a portfolio of four, made greedily of
the five best that searches on the others found; and from the ranking of a search on the data set before it in the
table, with its best three first. Reported is after how many trials each is as good, by the metric that is searched, as
those from nothing are in the end (the median of the seeds), on average over the seeds, and how that stands to those
from nothing themselves: as ``transfer.py`` does it, and for the same reason. Aim: at most half, and the control near
one.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from netwright.architecture import Architecture
from netwright.evaluators.tables import open_table
from netwright.strategies import Auto
from netwright.trial import Objective, State, Trial
from netwright.zoo.portfolio import greedy
from transfer_sets import Found, needed, print_ratios

ARMS = ("random", "portfolio", "ranking")
OBJECTIVE = Objective("score", "maximize")


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
    ratios: dict[str, list[float]] = {arm: [] for arm in ARMS}
    print(f"{'held out':20}" + "".join(f"{arm:>11}" for arm in ("nothing", *ARMS)) + f"   of {trials} trials")
    # Other seeds than those of the searches that are compared: a start must not be known by the same luck.
    before = {
        (seed, metric): search(table, columns[metric], known, 1000 + seed) for seed in range(seeds) for metric in names
    }
    for place, metric in enumerate(names):
        others = [each for each in names if each != metric]
        column = columns[metric]
        plain = [search(table, column, trials, seed) for seed in range(seeds)]
        quality = float(np.median([max(score for _, score in found) for found in plain]))
        counts: dict[str, list[int]] = {arm: [] for arm in ("nothing", *ARMS)}
        for seed in range(seeds):
            candidates = list(dict.fromkeys(a for each in others for a in best(before[seed, each], 5)))
            rows = [table.row(architecture) for architecture in candidates]
            taken = greedy(np.stack([columns[each][rows] for each in others]), 4)
            other, rng = before[seed, names[place - 1]], np.random.default_rng([seed, 1])
            ways: dict[str, dict[str, Any]] = {
                "random": {"starts": [table.space.sample(rng) for _ in taken]},
                "portfolio": {"starts": [candidates[each] for each in taken]},
                "ranking": {"starts": best(other, 3), "known": other},
            }
            counts["nothing"].append(needed(plain[seed], quality))
            for arm in ARMS:
                counts[arm].append(needed(search(table, column, trials, seed, **ways[arm]), quality))
        means = {arm: float(np.mean(some)) for arm, some in counts.items()}
        for arm in ARMS:
            ratios[arm].append(means[arm] / means["nothing"])
        print(f"{metric:20}" + "".join(f"{mean:11.1f}" for mean in means.values()), flush=True)
    print_ratios(ratios)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", default="nasbench-graph")
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--known", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    main(options.table, options.trials, options.known, options.seeds)
