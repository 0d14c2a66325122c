"""The pinned baselines trained by themselves: they must reach .990 on digits and .900 on Fashion-MNIST.

    python benchmarks/baselines.py [digits] [fashion-mnist] [--seeds 5] [--folder /usr/share/datasets/fashion-mnist]

Digits: a stratified fifth is the test, training is on the rest, seeds 0-4 set split and training. Fashion-MNIST: the
first 10,000 training images and the full test set, about five minutes a seed on one core.
"""

from __future__ import annotations

import argparse
import gzip
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits

from netwright.training import Recipe, credits, fit, split
from netwright.zoo.baselines import baseline

TARGETS = {"digits": 0.990, "fashion-mnist": 0.900}


def digits(seed):
    """Training inputs and targets, test inputs and targets."""
    X, y = load_digits(return_X_y=True)
    X, y = X.reshape(-1, 1, 8, 8).astype(np.float32), y.astype(np.int64)
    parts = split(y, seed, test=0.2, selection=0, validation=0)
    return normalised(X[parts.train], y[parts.train], X[parts.test], y[parts.test])


def fashion_mnist(folder):
    """The first 10,000 training images and all test images."""
    X, y = idx(folder / "train-images-idx3-ubyte.gz"), idx(folder / "train-labels-idx1-ubyte.gz")
    X_test, y_test = idx(folder / "t10k-images-idx3-ubyte.gz"), idx(folder / "t10k-labels-idx1-ubyte.gz")
    X, X_test = X[:10_000, None].astype(np.float32), X_test[:, None].astype(np.float32)
    return normalised(X, y[:10_000].astype(np.int64), X_test, y_test.astype(np.int64))


def idx(path):
    """The array of an IDX file: two zero bytes, the type, the number of dimensions, their sizes, the values."""
    content = gzip.decompress(path.read_bytes())
    dimensions = content[3]
    sizes = np.frombuffer(content, ">i4", count=dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(sizes)


def normalised(X, y, X_test, y_test):
    mean, spread = X.mean(), X.std()
    return (X - mean) / spread, y, (X_test - mean) / spread, y_test


def train(name, seed, X, y, X_test, y_test):
    """The test accuracy and the seconds of training."""
    one = baseline(name)
    torch.manual_seed(seed)
    network = one.build(X.shape[1:], 10)
    began = time.process_time()
    fit(network, X, y, Recipe(**one.recipe), seed=seed)
    return credits(network, X_test, y_test).mean(), time.process_time() - began


def show(task, name, results):
    scores, seconds = np.array(results).T
    verdict = "reached" if scores.mean() >= TARGETS[task] else "MISSED"
    print(
        f"{task}: {scores.mean():.4f} (seeds {', '.join(f'{score:.4f}' for score in scores)}), "
        f"{seconds.mean():.1f} s of CPU a training, target {TARGETS[task]:.3f} {verdict}; {baseline(name).description}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", help="digits, fashion-mnist; both by default")
    parser.add_argument("--seeds", type=int, help="5 for digits and 1 for Fashion-MNIST by default")
    parser.add_argument("--folder", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    if "digits" in options.tasks or not options.tasks:
        seeds = range(options.seeds or 5)
        show("digits", "digits", [train("digits", seed, *digits(seed)) for seed in seeds])
    if "fashion-mnist" in options.tasks or not options.tasks:
        data = fashion_mnist(options.folder)
        show("fashion-mnist", "images", [train("images", seed, *data) for seed in range(options.seeds or 1)])


if __name__ == "__main__":
    main()
