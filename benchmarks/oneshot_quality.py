"""What one-shot methods find on a table of which everything is known: digits-cells, the whole space trained.

``python benchmarks/oneshot_quality.py [--methods darts,drnas,…] [--seeds 5] [--epochs N]``

Each method trains its supernet on the table's own training data with its published defaults (its epochs unless others
are given); the sampling ones are searched by evolution on the table's validation data. What it derives is looked up:
the share of the table's functions with a better test accuracy (0 is the best; a random cell has .5 on average), how the
supernet orders 200 cells beside the table (Kendall's τ), and what the health panel says.

The two seeds of the table agree by Spearman's ρ = .72, below .8: no search can be told from a better one closer than
that, so the ceiling is printed beside: where the best by one seed stands by the other.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from scipy.stats import kendalltau, spearmanr

import netwright as nw
from netwright import zoo
from netwright.evaluators.tables import open_table
from netwright.strategies.oneshot import OneShot
from netwright.tasks.readers import read
from netwright.training.recipes import Recipe
from netwright.training.splits import split
from netwright.zoo.baselines import baseline

METHODS = "darts,darts2,snas,gdas,drnas,pcdarts,proxyless,enas,spos,fairnas,random-weights"
CELLS = 200


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--methods", default=METHODS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--epochs", type=int)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table = open_table("digits-cells")
    last = table.fidelities("test_accuracy")[-1]
    tested = table.find("test_accuracy", last)
    losses = table.column(f"train_loss@{last}").values
    kept = np.sort(np.unique(losses, axis=0, return_index=True)[1])
    ceiling(tested.values[kept])
    loaded = read("digits")
    parts = split(loaded.raw.y, 0, test=0.3, selection=0.0, validation=0.3 / 0.7)
    data = loaded.learned_on(parts.development).data
    space = zoo.SPACES["digits-cells"].space(input_shape=data.input_shape, classes=10)
    recipe = Recipe(**baseline("digits").recipe)
    rows = {table.architecture(row): row for row in range(len(table))}
    cells = [table.architecture(int(row)) for row in np.random.default_rng(0).choice(kept, CELLS, replace=False)]
    for name in arguments.methods.split(","):
        found = []
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
            began = time.perf_counter()
            one_shot = OneShot(space, name, data, split=parts, epochs=arguments.epochs, recipe=recipe, seed=seed).fit()
            evaluator = nw.evaluators.SharedWeights(one_shot.supernet, data, split=parts)
            if one_shot.method.ranks:
                best = one_shot.ranked(1)[0]
            else:
                study = nw.Study(space, nw.strategies.Evolution(50, 10), evaluator, maximize="val_accuracy", seed=seed)
                best = study.run(max_trials=500).best.architecture
            score = tested.mean[rows[best]]
            share = float((tested.mean[kept] > score).mean())
            shared = [shared_score(evaluator, one_shot, cell) for cell in cells]
            tau = float(kendalltau(shared, [tested.mean[rows[cell]] for cell in cells]).statistic)
            found.append((score, share, tau))
            said = one_shot.stopped or ""
            print(
                f"{name:14} seed {seed}  test {100 * score:5.2f}  better ones {100 * share:5.1f} %  τ {tau:5.2f}  "
                f"{len(one_shot.losses)} epochs  {time.perf_counter() - began:5.0f} s  {best} {said}",
                flush=True,
            )
        score, share, tau = np.mean(found, axis=0)
        spread = np.std(found, axis=0, ddof=1) if len(found) > 1 else np.zeros(3)
        print(
            f"{name:14} mean    test {100 * score:5.2f} ± {100 * spread[0]:.2f}  better ones {100 * share:5.1f} ± "
            f"{100 * spread[1]:.1f} %  τ {tau:5.2f} ± {spread[2]:.2f}",
            flush=True,
        )


def shared_score(evaluator: nw.evaluators.SharedWeights, one_shot: OneShot, cell: nw.Architecture) -> float:
    with one_shot.supernet.path(cell) as network:
        return evaluator.score(network)["val_accuracy"]


def ceiling(values: np.ndarray) -> None:
    """How well one seed of the table knows the other."""
    one, other = values[:, 0], values[:, 1]
    shares = [float((b > b[a.argmax()]).mean()) for a, b in ((one, other), (other, one))]
    print(
        f"table: {len(values)} functions, two seeds agree by ρ {spearmanr(one, other).statistic:.2f}, "
        f"τ {kendalltau(one, other).statistic:.2f}; the best by one seed has {100 * np.mean(shares):.1f} % better ones "
        f"by the other\n"
    )


if __name__ == "__main__":
    main()
