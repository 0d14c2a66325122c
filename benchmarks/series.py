"""Series classification: a search beside random kernels and a ridge classifier, on UCR and UEA sets.

    python benchmarks/series.py FOLDER [--time-limit 60s] [--seeds 1] [--sets GunPoint,…] [--jobs 2]

FOLDER holds GunPoint.npz, ItalyPowerDemand.npz, BasicMotions.npz and JapaneseVowels.npz with X_train, y_train, X_test,
y_test, as the package aeon ships these sets; ``--sets`` names others that lie there. Aim: within a point of the random
kernels on each. The kernels are those of ROCKET (Dempster, Petitjean and Webb 2020): 2,000 convolutions with random
length, weights, bias, dilation and padding; of each answer the largest value and the share of positive ones go into a
ridge classifier, whose penalty is chosen by cross-validation.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.nn import functional

import netwright as nw
from netwright.tasks import series

SETS = ("GunPoint", "ItalyPowerDemand", "BasicMotions", "JapaneseVowels")
KERNELS = 2000


def features(X: np.ndarray, seed: int) -> np.ndarray:
    """What random kernels say of series (N, channels, length): two numbers a kernel."""
    rng = np.random.default_rng(seed)
    inputs = torch.from_numpy(X)
    channels, length = X.shape[1:]
    made = []
    for _ in range(KERNELS):
        size = int(rng.choice([each for each in (7, 9, 11) if each <= length]))
        dilation = int(2 ** rng.uniform(0, max(0.0, np.log2((length - 1) / (size - 1)))))
        padding = (size - 1) * dilation // 2 if rng.random() < 0.5 else 0
        weights = rng.normal(size=(1, channels, size))
        # Of several channels a random few take part.
        count = int(2 ** rng.uniform(0, np.log2(min(channels, size) + 1)))
        weights[:, rng.permutation(channels)[count:]] = 0
        weights -= weights.mean(2, keepdims=True)
        kernel = torch.from_numpy(weights.astype(np.float32))
        answer = functional.conv1d(inputs, kernel, torch.tensor([rng.uniform(-1, 1)]).float(), 1, padding, dilation)
        made += [answer.amax((1, 2)), (answer > 0).float().mean((1, 2))]
    return torch.stack(made, 1).numpy()


def random_kernels(train: np.ndarray, y: np.ndarray, test: np.ndarray, y_test: np.ndarray, seed: int) -> float:
    """The accuracy of the ridge classifier."""
    constants = series.learn(series.take(train))
    ridge = make_pipeline(StandardScaler(), RidgeClassifierCV(np.logspace(-3, 3, 10)))
    ridge.fit(features(series.apply(constants, train), seed), y)
    return float(ridge.score(features(series.apply(constants, test), seed), y_test))


def main(folder: Path, time_limit: str, seeds: int, names: list[str], jobs: int) -> None:
    """A line a set and seed, and the mean difference."""
    differences = []
    for name in names:
        with np.load(folder / f"{name}.npz") as arrays:
            X, y, X_test, y_test = (arrays[each] for each in ("X_train", "y_train", "X_test", "y_test"))
        for seed in range(seeds):
            rival = random_kernels(X, y, X_test, y_test, seed)
            began = time.perf_counter()
            search = nw.TimeSeriesClassifier(time_limit=time_limit, n_jobs=jobs, random_state=seed)
            ours = search.fit(X, y, eval_set=(X_test, y_test)).score(X_test, y_test)
            differences.append(ours - rival)
            print(
                f"{name:18} seed {seed}  found {ours:.4f}  random kernels {rival:.4f}  difference {ours - rival:+.4f}"
                f"  ({search.study_.winner.params:,} parameters, {time.perf_counter() - began:.0f} s)",
                flush=True,
            )
    print(f"mean difference {np.mean(differences):+.4f}, the least {np.min(differences):+.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--time-limit", default="60s")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    main(options.folder, options.time_limit, options.seeds, options.sets.split(","), options.jobs)
