"""Zero-cost proxies on NAS-Bench-201: rank correlation of each with the accuracy after 200 epochs of training.

    python benchmarks/proxies.py [--networks 500] [--proxies synflow,jacob_cov,…|all] [--seed 0] [--batch 64]
                                 [--images auto|fashion-mnist|digits|photographs|noise] [--scores FILE]

Networks of the benchmark (15 cells, 16 channels, 32×32 inputs, torch's usual initial weights) are drawn by seed and
built; every proxy sees the same minibatch of 64 images. CIFAR-10 is not on most machines, so the images are those of
Fashion-MNIST where Debian's package ``dataset-fashion-mnist`` (or ``$NETWRIGHT_DATA/fashion-mnist``) is there, else
scikit-learn's digits; either is brought to 32×32 pixels and three equal channels, and standardised. ``--images`` asks
for others (patches of scikit-learn's two photographs need Pillow). The accuracies are CIFAR-10's, CIFAR-100's and
ImageNet16-120's; a network without a number ranks last, and ``kept`` is ρ without such networks. ``--scores`` keeps
each number as it is found, a line of JSON each, and goes on from them.

Aims: synflow and jacob_cov within ±0.05 of the published correlation or within the bootstrap interval, whichever is
wider; parameters and MACs over all 15,625 exactly .753/.728/.691.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import kendalltau, rankdata
from sklearn.datasets import load_sample_images
from torch.nn import functional

from netwright.errors import InputError
from netwright.evaluators.proxies import PROXIES, ProxyFailed, az_nas
from netwright.evaluators.proxies.patterns import regularised
from netwright.evaluators.tables import open_table
from netwright.tasks import read
from netwright.training.metrics import direction
from netwright.zoo import nasbench201

DATA_SETS = ("cifar10", "cifar100", "imagenet16-120")
PUBLISHED = {
    "synflow": (0.737, 0.763, 0.751),
    "jacob_cov": (0.731, 0.704, 0.701),
    "grad_norm": (0.594, 0.637, 0.578),
    "snip": (0.596, 0.637, 0.578),
    "grasp": (0.514, 0.547, 0.549),
    "fisher": (0.360, 0.385, 0.327),
    "params": (0.753, 0.728, 0.691),
    "macs": (0.753, 0.728, 0.691),
}
"""|Spearman| over all architectures: the notebooks of zero-cost-nas (without a sign), and the counts recomputed."""
COUNTS = {"params": nasbench201.params, "macs": nasbench201.macs}
DRAWS = 2000


def images(kind: str, count: int, seed: int) -> tuple[str, torch.Tensor, torch.Tensor]:
    """A minibatch of standardised images (count, 3, 32, 32) and their classes, and where they are from."""
    rng = np.random.default_rng(seed)
    if kind == "noise":
        return "noise", torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed)), labels(rng, count)
    if kind == "photographs":
        return "patches of scikit-learn's two photographs, classes drawn", patches(rng, count), labels(rng, count)
    try:
        name, loaded = "Fashion-MNIST", read("fashion-mnist" if kind == "auto" else kind)
    except InputError:
        name, loaded = "scikit-learn's digits", read("digits")
    chosen = rng.choice(len(loaded.raw.X), count, replace=False)
    X = torch.from_numpy(np.asarray(loaded.raw.X[chosen], dtype=np.float32))
    X = X.reshape(count, 1, *X.shape[-2:])
    X = functional.interpolate(X, (32, 32), mode="bilinear", align_corners=False)
    X = (X - X.mean()) / X.std()
    return name, X.expand(-1, 3, -1, -1).contiguous(), torch.from_numpy(np.asarray(loaded.raw.y[chosen])).long()


def patches(rng: np.random.Generator, count: int) -> torch.Tensor:
    """Squares of 64 pixels from scikit-learn's two photographs, halved and standardised a channel."""
    photographs = load_sample_images().images
    found = np.empty((count, 32, 32, 3), np.float32)
    for place in range(count):
        photograph = photographs[place % 2]
        y, x = (int(rng.integers(0, size - 64)) for size in photograph.shape[:2])
        found[place] = photograph[y : y + 64, x : x + 64].reshape(32, 2, 32, 2, 3).mean((1, 3))
    X = torch.from_numpy(found).permute(0, 3, 1, 2).contiguous()
    return (X - X.mean((0, 2, 3), keepdim=True)) / X.std((0, 2, 3), keepdim=True)


def labels(rng: np.random.Generator, count: int) -> torch.Tensor:
    """Classes without a meaning."""
    return torch.from_numpy(rng.integers(0, 10, count))


def spearman(scores: np.ndarray[Any, Any], accuracies: np.ndarray[Any, Any]) -> float:
    """Spearman's ρ; networks without a number have −∞ and rank last, sharing their rank."""
    return float(np.corrcoef(rankdata(scores), rankdata(accuracies))[0, 1])


def interval(scores: np.ndarray[Any, Any], accuracies: np.ndarray[Any, Any]) -> tuple[float, float]:
    """The 95 % percentile bootstrap of ρ over the networks."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(DRAWS):
        chosen = rng.integers(0, len(scores), len(scores))
        found.append(spearman(scores[chosen], accuracies[chosen]))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


class Scores:
    """What was found so far, in a file of lines: row, proxy, value (null where it failed), seconds."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.values: dict[tuple[int, str], tuple[float | None, float]] = {}
        if file is not None and file.exists():
            for line in file.read_text().splitlines():
                row, name, value, seconds = json.loads(line)
                self.values[row, name] = (value, seconds)

    def add(self, row: int, name: str, value: float | None, seconds: float) -> None:
        """Notes a value and writes it down."""
        self.values[row, name] = (value, seconds)
        if self.file is not None:
            with self.file.open("a") as out:
                out.write(json.dumps([row, name, value, round(seconds, 4)]) + "\n")


def measure(names: list[str], rows: list[int], seed: int, batch: int, kind: str, scores: Scores) -> str:
    """Fills in the proxies of these rows of the table; answers where the images are from."""
    table = open_table("nasbench201")
    space = nasbench201.space()
    source, X, y = images(kind, batch, seed)
    for place, row in enumerate(rows):
        missing = [name for name in names if (row, name) not in scores.values]
        if not missing:
            continue
        architecture = table.architecture(row)
        torch.manual_seed(seed * 100_003 + row)
        network = space.build(architecture)
        for name in missing:
            if name in COUNTS:
                # Of the same network, without building it; the tests compare both.
                scores.add(row, name, float(COUNTS[name](architecture)), 0.0)
                continue
            generator = torch.Generator().manual_seed(seed)
            began = time.process_time()
            try:
                value: float | None = PROXIES[name](network, X, y, generator=generator)
            except ProxyFailed:
                value = None
            scores.add(row, name, value, time.process_time() - began)
        if place % 50 == 49:
            print(f"{place + 1} of {len(rows)} networks", flush=True)
    return source


def report(names: list[str], rows: list[int], scores: Scores) -> None:
    """The table: correlations with the three accuracies, intervals, published figures, seconds."""
    table = open_table("nasbench201")
    truth = {name: np.asarray(table.columns[f"{name}.test@200"].values, dtype=float) for name in DATA_SETS}
    truth = {name: values if values.ndim == 1 else np.nanmean(values, axis=1) for name, values in truth.items()}
    print(f"\n{'proxy':17} {'n':>5} {'failed':>6} {'sec':>6}   " + "   ".join(f"{name:^44}" for name in DATA_SETS))
    print(f"{'':38} " + "   ".join(f"{'ρ [95 %]':>20} {'kept':>6} {'τ':>6} {'published':>9}" for _ in DATA_SETS))
    for name, count in COUNTS.items():
        line(name, {row: float(count(table.architecture(row))) for row in range(15_625)}, truth, 1, 0.0)
    columns: dict[str, dict[int, float]] = {}
    for name in names:
        found = {row: scores.values[row, name][0] for row in rows if (row, name) in scores.values}
        columns[name] = {row: math.nan if value is None else value for row, value in found.items()}
        seconds = [scores.values[row, name][1] for row in found]
        line(name, columns[name], truth, direction_of(name), float(np.mean(seconds)) if seconds else math.nan)
    components = ("az_expressivity", "az_progressivity", "az_trainability", "macs")
    if all(name in columns for name in components):
        both = [row for row in rows if all(row in columns[name] for name in components)]
        together = az_nas({name: [columns[name][row] for row in both] for name in components})
        line("az_nas (ranks)", dict(zip(both, together, strict=True)), truth, 1, math.nan)
    if "swap" in columns and "params" in columns:
        both = [row for row in columns["swap"] if row in columns["params"]]
        size = np.array([columns["params"][row] for row in both])
        middle, width = float(size.max()), float(size.std())
        led = {row: regularised(columns["swap"][row], columns["params"][row], middle, width) for row in both}
        line("swap (regularised)", led, truth, 1, math.nan)


def direction_of(name: str) -> int:
    """1 where higher is better, else −1; counts are better when larger, as proxies."""
    return 1 if name in ("params", "macs") or direction(name) == "maximize" else -1


def line(
    name: str, values: dict[int, float], truth: dict[str, np.ndarray[Any, Any]], sign: int, seconds: float
) -> None:
    """One row of the table."""
    if len(values) < 3:
        return
    rows = list(values)
    found = np.array([values[row] for row in rows]) * sign
    failed = int(np.isnan(found).sum())
    found = np.where(np.isnan(found), -np.inf, found)
    parts = []
    for place, data_set in enumerate(DATA_SETS):
        accuracies = truth[data_set][rows]
        low, high = interval(found, accuracies) if len(rows) < 15_625 else (math.nan, math.nan)
        tau = kendalltau(rankdata(found), accuracies).statistic
        published = f"{PUBLISHED[name][place]:9.3f}" if name in PUBLISHED else " " * 9
        kept = np.isfinite(found)
        without = spearman(found[kept], accuracies[kept])
        parts.append(
            f"{spearman(found, accuracies):6.3f} [{low:5.3f} {high:5.3f}] {without:6.3f} {tau:6.3f} {published}"
        )
    print(f"{name:17} {len(rows):5} {failed:6} {seconds:6.2f}   " + "   ".join(parts), flush=True)


def main(networks: int, names: list[str], seed: int, batch: int, kind: str, file: Path | None) -> None:
    """Measures and prints."""
    total = 15_625
    rows = [int(row) for row in np.random.default_rng(seed).permutation(total)[:networks]]
    scores = Scores(file)
    source = measure(names, rows, seed, batch, kind, scores)
    print(f"{networks} networks drawn by seed {seed}; minibatch: {batch} images of {source}, 32×32×3")
    report(names, rows, scores)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=500)
    parser.add_argument("--proxies", default="synflow,jacob_cov,naswot,params,macs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--images", default="auto", choices=["auto", "fashion-mnist", "digits", "photographs", "noise"])
    parser.add_argument("--scores", type=Path)
    options = parser.parse_args()
    chosen = list(PROXIES) if options.proxies == "all" else options.proxies.split(",")
    main(options.networks, chosen, options.seed, options.batch, options.images, options.scores)
