"""What weight inheritance saves on digits, and what it costs in score.

Parents are trained from scratch; each child is one mutation away and is trained twice with the same seed: from
scratch with the full budget, and from its parent's weights with the shorter one.

    python benchmarks/inheritance.py [--pairs 24] [--epochs 12] [--factor 0.5]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from scipy import stats
from sklearn.datasets import load_digits
from torch import nn

import netwright as nw
from netwright.evaluators import Candidate, Heritage, Train
from netwright.training import Data, Recipe, save_weights, split


def conv(channels, width, kernel):
    return nn.Sequential(
        nn.Conv2d(channels, width, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(width), nn.ReLU()
    )


class Net(nn.Module):
    """A small space: the width, the number of layers, and what each layer is."""

    def __init__(self, input_shape, classes):
        super().__init__()
        width = nw.choose("width", 12, 16, 24, 32)
        self.stem = conv(input_shape[0], width, 3)
        self.body = nw.repeat(
            "depth",
            lambda i: nw.one_of(
                f"layer{i}",
                conv3=lambda: conv(width, width, 3),
                conv1=lambda: conv(width, width, 1),
                skip=nn.Identity,
            ),
            1,
            4,
        )
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        return self.head(self.body(nn.functional.max_pool2d(self.stem(x), 2)).mean((2, 3)))


def run(train, space, architecture, seed, path=None, heritage=None):
    """Metrics and seconds of CPU; the weights go to ``path``."""
    keep = (lambda state: save_weights(path, state)) if path else (lambda state: None)
    began = time.process_time()
    metrics = train(Candidate(architecture, space, seed=seed, heritage=heritage, on_keep=keep))
    return metrics, time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--factor", type=float, default=0.5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    X, y = load_digits(return_X_y=True)
    X = ((X.reshape(-1, 1, 8, 8) - X.mean()) / X.std()).astype(np.float32)
    data = Data(X, y.astype(np.int64), tuple("0123456789"))
    recipe = Recipe(epochs=options.epochs, batch_size=64, label_smoothing=0.05)
    train = Train(data, recipe, split=split(data.y, 0), inherit_factor=options.factor)
    space = nw.SearchSpace(Net, input_shape=(1, 8, 8), classes=10)
    rng = np.random.default_rng(0)
    scratch, inherited = [], []
    with tempfile.TemporaryDirectory() as folder:
        for pair in range(options.pairs):
            path = Path(folder) / f"{pair}.safetensors"
            parent = space.sample(rng)
            child = space.mutate(parent, rng)
            metrics, _ = run(train, space, parent, 1000 + pair, path)
            heritage = Heritage(pair, path, same=False, epochs=metrics["lineage_epochs"])
            scratch.append(run(train, space, child, pair))
            inherited.append(run(train, space, child, pair, heritage=heritage))
    show(scratch, inherited)


def show(scratch, inherited):
    epochs = [sum(metrics["epochs"] for metrics, _ in runs) for runs in (scratch, inherited)]
    seconds = [sum(seconds for _, seconds in runs) for runs in (scratch, inherited)]
    scores = np.array([[metrics["val_accuracy"] for metrics, _ in runs] for runs in (scratch, inherited)])
    difference = scores[1] - scores[0]
    low, high = stats.t.interval(0.95, len(difference) - 1, difference.mean(), stats.sem(difference))
    print(f"{len(difference)} children: {epochs[0]:.0f} epochs from scratch, {epochs[1]:.0f} inheriting "
          f"({1 - epochs[1] / epochs[0]:.0%} saved)")  # fmt: skip
    print(f"seconds of CPU: {seconds[0]:.1f} from scratch, {seconds[1]:.1f} inheriting "
          f"({seconds[0] - seconds[1]:.1f} s, {1 - seconds[1] / seconds[0]:.0%} saved)")  # fmt: skip
    print(f"val_accuracy: {scores[0].mean():.4f} from scratch, {scores[1].mean():.4f} inheriting; paired difference "
          f"{difference.mean():+.4f}, 95 % interval [{low:+.4f}, {high:+.4f}]")  # fmt: skip


if __name__ == "__main__":
    main()
