"""The figures of the card of a table made by ``netwright tables make``: spread, agreement, seconds.

``python benchmarks/digits_cells.py [FILE.npz]``, by default the table in the package. Everything is over the networks
that were trained, each counted once.
"""

from __future__ import annotations

import sys

import numpy as np
from scipy.stats import spearmanr

from netwright.evaluators.tables import Table, open_table

SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


def main(name: str = "digits-cells") -> None:
    table = open_table(name)
    kept = trained(table)
    epochs = table.fidelities("val_accuracy")
    print(f"{table.name}: {len(table):,} architectures, {len(kept):,} functions; {dict(table.about)}")
    print(f"\ntest accuracy, mean of seeds: its quantiles {', '.join(f'{share:g}' for share in SHARES)}")
    for epoch in epochs:
        values = table.find("test_accuracy", epoch).mean[kept]
        print(f"  @{epoch}  {' '.join(f'{100 * value:6.1f}' for value in np.quantile(values, SHARES))}")
    last = epochs[-1]
    final = table.find("test_accuracy", last).mean[kept]
    print(f"\nrank correlation (Spearman) with test_accuracy@{last}, of all functions and of the better quarter")
    best = final >= np.quantile(final, 0.75)
    names = [f"{metric}@{epoch}" for metric in ("val_accuracy", "train_loss") for epoch in epochs]
    for column in [*names, *table.costs]:
        values = table.column(column).mean[kept]
        print(f"  {column:16} {rho(values, final):6.3f} {rho(values[best], final[best]):6.3f}")
    print("\nrank correlation of two seeds; deviation between seeds, of all and of the better quarter")
    for epoch in epochs:
        for metric in ("val_accuracy", "test_accuracy"):
            values = table.find(metric, epoch).values[kept]
            agreed = agreement(values)
            noise = [100 * float(np.sqrt(part.var(1, ddof=1).mean())) for part in (values, values[best])]
            print(f"  {metric}@{epoch:<3} {agreed:6.3f}   deviation {noise[0]:.2f} and {noise[1]:.2f} points, "
                  f"ceiling {ceiling(agreed, values.shape[1]):.3f}")  # fmt: skip
    validated, tested = (table.find(metric, last).mean for metric in ("val_accuracy", "test_accuracy"))
    for what, row in (("validation", int(validated.argmax())), ("test", int(tested.argmax()))):
        print(f"\nbest by {what}: validation {100 * validated[row]:.2f}, test {100 * tested[row]:.2f}, "
              f"{table.find('params', None).mean[row]:,.0f} parameters\n  {table.architecture(row)}")  # fmt: skip
    within = (tested[kept] >= tested.max() - 0.01).sum()
    print(f"{within} functions have a test accuracy within a point of the best")
    costs = table.find("cost", last).values[kept]
    print(f"\nseconds of processor time a training: {costs.min():.2f} to {costs.max():.2f}, mean {costs.mean():.2f}, "
          f"sum {costs.sum():,.0f}")  # fmt: skip
    for name in table.costs:
        values = table.find(name, None).mean
        print(f"{name}: {values.min():,.3f} to {values.max():,.3f}, median {np.median(values):,.3f}")


def trained(table: Table) -> np.ndarray:
    """The first row of each function: twins share all of their scores, to the last bit of the loss."""
    last = table.fidelities("train_loss")[-1]
    keys = np.concatenate([table.find(metric, last).values for metric in ("train_loss", "val_accuracy", "cost")], 1)
    return np.sort(np.unique(keys, axis=0, return_index=True)[1])


def rho(a: np.ndarray, b: np.ndarray) -> float:
    return float(spearmanr(a, b)[0])


def agreement(values: np.ndarray) -> float:
    """Spearman's correlation of two seeds, the mean over all pairs."""
    count = values.shape[1]
    pairs = [rho(values[:, a], values[:, b]) for a in range(count) for b in range(a)]
    return float(np.mean(pairs)) if pairs else float("nan")


def ceiling(agreement: float, seeds: int) -> float:
    """The largest rank correlation with the mean of the seeds that a perfect predictor could have (Spearman-Brown)."""
    return float(np.sqrt(seeds * agreement / (1 + (seeds - 1) * agreement)))


if __name__ == "__main__":
    main(*sys.argv[1:])
