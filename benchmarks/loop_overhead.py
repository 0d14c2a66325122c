"""What the training loop costs over a bare one written by hand, on the same network and data.

Both use the same optimiser, layout and augmentation and alternate in one process; the figure is the median of the
ratios of neighbours, by CPU time (both run on one thread; wall time is printed too). A third loop is what one would
write first, in torch's default layout.

    python benchmarks/loop_overhead.py [--repeats 7]
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch.nn import functional

from netwright.training import Recipe, augment, fit
from netwright.training.loop import learning_rate
from netwright.zoo.baselines import baseline

LIMIT = 1.05


def bare(network, X, y, recipe, *, layout):
    """The loop as a book has it, with the learning rate of each step set by hand."""
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    network.to(memory_format=layout)
    groups = [
        {"params": [p for p in network.parameters() if p.dim() >= 2], "weight_decay": recipe.weight_decay},
        {"params": [p for p in network.parameters() if p.dim() < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=True, fused=True)
    shuffle, noise = torch.Generator().manual_seed(0), torch.Generator().manual_seed(1)
    steps, step = recipe.epochs * -(-len(X) // recipe.batch_size), 0
    network.train()
    for _ in range(recipe.epochs):
        order = torch.randperm(len(X), generator=shuffle)
        for start in range(0, len(X), recipe.batch_size):
            batch = order[start : start + recipe.batch_size]
            x = X[batch]
            if recipe.augment:
                x = augment(x, recipe, noise)
            loss = functional.cross_entropy(
                network(x.contiguous(memory_format=layout)), y[batch], label_smoothing=recipe.label_smoothing
            )
            optimizer.zero_grad()
            loss.backward()
            for group in optimizer.param_groups:
                group["lr"] = learning_rate("one_cycle", recipe.lr, step, steps)
            optimizer.step()
            step += 1


def measure(name, X, y, recipe, repeats):
    """Prints one row; answers with the median ratio of CPU times."""
    loops = {
        "netwright": lambda network: fit(network, X, y, recipe),
        "bare": lambda network: bare(network, X, y, recipe, layout=torch.channels_last),
        "first": lambda network: bare(network, X, y, recipe, layout=torch.contiguous_format),
    }
    times = {loop: [] for loop in loops}
    for repeat in range(repeats + 1):
        order = list(loops) if repeat % 2 else list(loops)[::-1]
        for loop in order:
            torch.manual_seed(0)
            network = baseline(name).build(X.shape[1:], 10)
            wall, cpu = time.perf_counter(), time.process_time()
            loops[loop](network)
            if repeat:  # the first round warms up
                times[loop].append((time.perf_counter() - wall, time.process_time() - cpu))

    def ratio(other, kind):
        pairs = zip(times["netwright"], times[other], strict=True)
        return statistics.median(ours[kind] / theirs[kind] for ours, theirs in pairs)

    seconds = statistics.median(cpu for _, cpu in times["bare"])
    print(
        f"{name:8} {'with' if recipe.augment else 'without'} augmentation: {ratio('bare', 1):.3f} of the bare loop's "
        f"CPU time ({ratio('bare', 0):.3f} of its wall time; {seconds:.2f} s), "
        f"{ratio('first', 1):.3f} of the first idea's",
        flush=True,
    )
    return ratio("bare", 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    X, y = load_digits(return_X_y=True)
    digits = ((X.reshape(-1, 1, 8, 8) - X.mean()) / X.std()).astype(np.float32), y.astype(np.int64)
    rng = np.random.default_rng(0)
    # Noise of Fashion-MNIST's shape: a step takes as long as on the pictures themselves.
    images = rng.normal(size=(640, 1, 28, 28)).astype(np.float32), rng.integers(0, 10, 640)
    ratios = []
    for name, (inputs, targets), epochs in (("digits", digits, 5), ("images", images, 1)):
        for augmentations in ((), ("crop", "flip")):
            recipe = Recipe(epochs=epochs, batch_size=128, lr=0.05, label_smoothing=0.05, augment=augmentations)
            ratios.append(measure(name, inputs, targets, recipe, repeats))
    print(f"worst {max(ratios):.3f}, allowed {LIMIT:.2f}: {'met' if max(ratios) <= LIMIT else 'missed'}")


if __name__ == "__main__":
    main()
