"""A table of 81 architectures that a test knows by heart, and what makes a comparison of it."""

import itertools

import numpy as np

from netwright.bench.comparison import Comparison, Runs
from netwright.bench.measures import Measure
from netwright.evaluators.tables import Table
from netwright.evaluators.tables.own import declared_space

OPTIONS = dict.fromkeys(("one", "two", "three", "four"), ("a", "b", "c"))
CHOICES = np.array(list(itertools.product(range(3), repeat=4)))
ACC = Measure("acc", 9)
TEST = Measure("test", 9)


def values(noise, seed):
    """An additive landscape with noise, in steps of a hundredth and without ties."""
    weights = np.array([[0, 3, 5], [0, 2, 7], [1, 0, 4], [0, 6, 2]])
    additive = sum(weights[column][CHOICES[:, column]] for column in range(4)).astype(float)
    return additive + noise * np.random.default_rng(seed).permutation(81) / 81


def table(name="toy"):
    """``acc`` at fidelities 1, 3 and 9, ``test`` at 9, the seconds of ``acc``, and ``params``."""
    columns = {f"acc@{fidelity}": values(9 / fidelity, fidelity) for fidelity in (1, 3, 9)}
    columns |= {"test@9": values(3, 11)}
    columns |= {f"cost@{fidelity}": fidelity * (1.0 + CHOICES[:, 0]) for fidelity in (1, 3, 9)}
    columns |= {"params": 10.0 + CHOICES.sum(axis=1)}
    return Table(name, declared_space(OPTIONS), CHOICES, columns)


def runs(name, rows, *, failed=0, **used):
    """Runs whose incumbents are given as (runs, queries) rows of the table."""
    rows = np.asarray(rows)
    used = {what: np.asarray(numbers, dtype=float) for what, numbers in used.items()}
    return Runs(name, tuple(range(len(rows))), rows, None, used, np.ones(len(rows)), failed)


def comparison(rows, *, judged=TEST, objectives=(ACC,), queries=12, **more):
    """A comparison of strategies by their rows."""
    made = {name: runs(name, one) for name, one in rows.items()}
    seeds = max(len(one.seeds) for one in made.values())
    return Comparison(table(), objectives, judged, queries, seeds, 1, made, **more)


def improving(seed, *, count=8, queries=12, skill=1):
    """Incumbents of random searches; with more skill each query looks at more architectures."""
    acc = table().column("acc@9").mean
    rng = np.random.default_rng(seed)
    found = rng.integers(81, size=(count, queries, skill))
    best_now = np.take_along_axis(found, acc[found].argmax(axis=2)[..., None], axis=2)[..., 0]
    for query in range(1, queries):
        worse = acc[best_now[:, query]] < acc[best_now[:, query - 1]]
        best_now[worse, query] = best_now[worse, query - 1]
    return best_now
