"""How well each predictor ranks the architectures that it has not seen, by how many it has.

``python benchmarks/predictors.py`` takes random training sets of 10 to 500 architectures from the tables that are there
(``shared/data`` beside the project), fits every predictor, and prints the mean of Kendall's tau and of Spearman's
correlation with the scores of 1,000 others, how many of them lie within 1.96 spreads, and the processor seconds of a
fit. ``--tables``, ``--predictors``, ``--sizes`` and ``--draws`` ask for less.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau, spearmanr

from netwright.architecture import Architecture
from netwright.evaluators.tables import open_table
from netwright.predictors import PREDICTORS
from netwright.space import SearchSpace

DATA = Path(__file__).parents[2] / "shared" / "data"
SETS = {
    "nasbench201": (
        "nasbench201/nasbench201.npz",
        {
            "CIFAR-10": "cifar10.valid@200",
            "CIFAR-100": "cifar100.valid@200",
            "ImageNet16-120": "imagenet16-120.valid@200",
        },
    ),
    "nasbench-graph": ("nas_bench_graph/nas_bench_graph.npz", {"Cora": "cora.valid", "arXiv": "arxiv.valid"}),
    "nasbench101": ("ec_nas_bench/ecnas_5V9E_4epochs.npz", {"up to 5 vertices": "valid@4"}),
}
TESTED = 1_000
LABELS = ("tau", "rho", "covered", "seconds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", default=",".join(SETS))
    parser.add_argument("--predictors", default=",".join(PREDICTORS))
    parser.add_argument("--sizes", default="10,20,50,100,200,500")
    parser.add_argument("--draws", type=int, default=10)
    chosen = parser.parse_args()
    sizes = [int(size) for size in chosen.sizes.split(",")]
    print(f"{'':43}{''.join(f'{size:>8}' for size in sizes)}")
    for title, space, architectures, scores in problems(chosen.tables.split(",")):
        for name in chosen.predictors.split(","):
            rows = []
            for size in sizes:
                drawn = [measure(name, space, architectures, scores, size, draw) for draw in range(chosen.draws)]
                rows.append(np.mean(drawn, axis=0))
            for label, digits, column in zip(LABELS, (2, 2, 2, 3), np.transpose(rows), strict=True):
                print(f"{title:16} {name:18}{label:8}{''.join(f'{v:8.{digits}f}' for v in column)}", flush=True)


def problems(tables: Sequence[str]) -> Iterator[tuple[str, SearchSpace, list[Architecture], NDArray[np.float64]]]:
    for name in tables:
        file, columns = SETS[name]
        if not (DATA / file).exists():
            print(f"{name}: {DATA / file} is not there")
            continue
        table = open_table(DATA / file)
        for title, column in columns.items():
            yield title, table.space, table.architectures(), np.asarray(table.column(column).of_seed("mean"))


def measure(
    name: str, space: SearchSpace, architectures: list[Architecture], scores: NDArray[np.float64], size: int, draw: int
) -> tuple[float, float, float, float]:
    """Tau, rho, coverage and seconds of one training set; one score for all is no order, and counts as 0."""
    places = np.random.default_rng([draw, size]).permutation(len(scores))[: size + TESTED]
    known, others = places[:size], places[size:]
    predictor = PREDICTORS[name](space, seed=draw)
    rows = predictor.encode([architectures[place] for place in known])
    begin = time.process_time()
    predictor.fit(rows, scores[known])
    seconds = time.process_time() - begin
    mean, spread = predictor.predict([architectures[place] for place in others])
    true = scores[others]
    covered = float(np.mean(np.abs(mean - true) <= 1.96 * spread))
    if np.ptp(mean) == 0:
        return 0.0, 0.0, covered, seconds
    return float(kendalltau(mean, true).statistic), float(spearmanr(mean, true).statistic), covered, seconds


if __name__ == "__main__":
    main()
