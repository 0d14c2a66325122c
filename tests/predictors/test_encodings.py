"""Encodings: architectures as rows of numbers."""

from collections import Counter

import numpy as np
import pytest

from netwright.predictors import Adjacency, Coordinates, OneHot, Paths, Positions
from netwright.predictors.kernels import Both, Hamming, WeisfeilerLehman, _tied
from netwright.testing import toy
from netwright.zoo import nasbench201

NAMES = ["flat", "conditional", "shared", "mixed", "cell", "dials", "point"]


def drawn(space, count, seed=0):
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(count)]


def test_one_hot_is_that_of_the_space():
    """A row of the space's own encoding for each."""
    space = toy.SPACES["conditional"]()
    architectures = drawn(space, 5)
    rows = OneHot(space).encode(architectures)
    np.testing.assert_array_equal(rows, [space.encode(a) for a in architectures])
    assert OneHot(space).columns == space.columns


def test_positions_are_indices_and_minus_one():
    """Options by their index, numbers by their rank, ranges by their place, -1 for what is not asked."""
    space = toy.SPACES["conditional"]()
    rng = np.random.default_rng(0)
    architecture = space.complete(
        {"width": 4, "depth": 2, "block0": "skip", "block1": "convolution", "block1.kernel": 5}, rng
    )
    encoded = dict(zip(Positions(space).columns, Positions(space).encode([architecture])[0], strict=True))
    assert encoded == {
        **{"width": 1, "depth": 1, "block0": 1, "block0.kernel": -1},
        **{"block1": 0, "block1.kernel": 2, "block2": -1, "block2.kernel": -1},
    }
    mixed = toy.SPACES["mixed"]()
    architecture = mixed.complete(
        {"width": 5, "slope": 0.1, "scale": 0.25, "rate": 0.5, "activation": "tanh"}, np.random.default_rng(0)
    )
    encoded = dict(zip(Positions(mixed).columns, Positions(mixed).encode([architecture])[0], strict=True))
    assert encoded == pytest.approx({"width": 3, "slope": 0.5, "scale": 0.25, "rate": 2, "activation": 1})


def distance(decision, a, b):
    """From 0 to 1, as the documentation says it."""
    if (a is None) != (b is None):
        return 1.0
    if a is None or a == b:
        return 0.0
    if decision.kind == "inputs":
        return len(set(a) - set(b)) / len(a)
    if not decision.numeric:
        return 1.0
    if decision.kind == "choose":
        low, high, (a, b) = 0, len(decision.options) - 1, (sorted(decision.options).index(x) for x in (a, b))
    else:
        low, high = decision.low, decision.high
    if decision.log:
        low, high, a, b = np.log([low, high, a, b])
    difference = abs(a - b) / (high - low)
    return 1 - np.cos(np.pi / 2 * difference) if decision.conditional else difference**2


@pytest.mark.parametrize("name", NAMES)
def test_coordinates_have_the_distance(name):
    """Their squared distance is the sum over decisions, one group each, by brute force."""
    space = toy.SPACES[name]()
    architectures = drawn(space, 25)
    expected = [
        [sum(distance(d, a.get(d.name), b.get(d.name)) for d in space.decisions) for b in architectures]
        for a in architectures
    ]
    kernel = Hamming(space)
    parts = kernel.parts(kernel.encode(architectures))
    own = len(Coordinates(space).decisions)
    np.testing.assert_allclose(parts[:own].sum(0), np.array(expected), atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_the_kernel_is_positive_definite(name):
    """For several weights, with conditional numbers too; and the parts weighted are the whole."""
    space = toy.SPACES[name]()
    kernel = Hamming(space)
    rows = kernel.encode(drawn(space, 60))
    for seed in range(3):
        weights = np.random.default_rng(seed).exponential(size=kernel.groups)
        whole = kernel.weighted(rows, rows, weights)
        np.testing.assert_allclose(whole, np.tensordot(weights, kernel.parts(rows), 1), atol=1e-9)
        assert np.linalg.eigvalsh(np.exp(-whole)).min() > -1e-9


def test_decisions_with_the_same_options_have_a_group_together():
    """How differently often each option was taken, whatever the place: brute force on the cell's operations."""
    space = toy.SPACES["cell"]()
    architectures = drawn(space, 20)
    kernel = Hamming(space)
    part = kernel.parts(kernel.encode(architectures))[-1]
    names = [f"node{node}.operation" for node in range(3)]
    counts = np.array([[[a[name] for name in names].count(o) for o in ("convolution", "skip")] for a in architectures])
    expected = ((counts[:, None] - counts[None]) ** 2).sum(-1) / 2 / 3
    np.testing.assert_allclose(part, expected, atol=1e-12)
    assert kernel.shares.sum() == pytest.approx(1)
    assert kernel.shares[-1] == 0.5


def test_many_decisions_share_weights():
    """Up to 64 have their own; beyond, those that differ only by digits share one, or all do."""
    np.testing.assert_array_equal(_tied([f"d{i}" for i in range(64)]), np.arange(64))
    names = [f"block{i}.{kind}" for i in range(40) for kind in ("kernel", "width")]
    np.testing.assert_array_equal(_tied(names), np.tile([0, 1], 40))
    letters = [chr(97 + i) + chr(97 + j) for i in range(9) for j in range(9)]
    np.testing.assert_array_equal(_tied(letters), np.zeros(81))


@pytest.fixture(scope="module")
def cells():
    return nasbench201.space()


def test_the_paths_of_nasbench201_are_155(cells):
    """5 + 25 + 125 sequences of one to three operations; the encoding marks those that an architecture has."""
    paths = Paths(cells)
    assert Counter({3: 5, 4: 25, 5: 125}) == Counter(map(len, paths.columns))
    architecture = cells.sample(np.random.default_rng(0))
    found = {paths.columns[i] for i in np.flatnonzero(paths.encode([architecture])[0])}
    edge = {name.removeprefix("edge_"): value for name, value in architecture.items()}
    routes = [("03",), ("01", "13"), ("02", "23"), ("01", "12", "23")]
    assert found == {("input", *(edge[e] for e in route), "output") for route in routes}


def test_truncated_paths_are_the_likeliest(cells):
    """The shortest come first: in a cell of NAS-Bench-201 each of them occurs in a fifth of the architectures."""
    assert {3} == set(map(len, Paths(cells, most=5).columns))
    assert len(Paths(cells, most=40).columns) == 40


def test_adjacency_has_edges_and_operations(cells):
    """The same edges in every architecture of NAS-Bench-201, and one operation a node."""
    adjacency = Adjacency(cells)
    architecture = cells.sample(np.random.default_rng(0))
    graph = cells.graph(architecture)
    marked = {adjacency.columns[i] for i in np.flatnonzero(adjacency.encode([architecture])[0])}
    assert marked == {f"{a}->{b}" for a, b in graph.edges} | {f"{i}={o}" for i, o in enumerate(graph.operations)}


def histograms(graph, rounds):
    """Counts of the subtrees of each depth, written out as nested tuples."""
    labels = list(graph.operations)
    for _ in range(rounds + 1):
        yield Counter(labels)
        labels = [
            (
                labels[n],
                tuple(sorted((labels[a] for a, b in graph.edges if b == n), key=repr)),
                tuple(sorted((labels[b] for a, b in graph.edges if a == n), key=repr)),
            )
            for n in range(len(labels))
        ]


def test_weisfeiler_lehman_compares_subtrees(cells):
    """One minus the cosine of the histograms of each depth, by brute force; what carries nothing is left out."""
    rng = np.random.default_rng(0)
    architectures = [cells.sample(rng) for _ in range(12)]
    kernel = WeisfeilerLehman(cells, rounds=3)
    rows = kernel.encode(architectures)
    found = [list(histograms(cells.graph(a).without({"none"}), 3)) for a in architectures]
    for depth, part in enumerate(kernel.parts(rows)):
        for i, j in np.ndindex(part.shape):
            a, b = found[i][depth], found[j][depth]
            lengths = np.sqrt(sum(v * v for v in a.values()) * sum(v * v for v in b.values()))
            assert part[i, j] == pytest.approx(1 - sum(a[key] * b[key] for key in a) / lengths, abs=1e-12)
    weights = np.array([0.5, 2.0, 1.0, 0.0])
    whole = kernel.weighted(rows[:5], rows, weights)
    np.testing.assert_allclose(whole, np.tensordot(weights, kernel.parts(rows), 1)[:5], atol=1e-12)


def test_cells_that_compute_the_same_are_at_no_distance(cells):
    """Edges that lead nowhere do not count, whatever is on them."""
    dead = {"edge_01": "nor_conv_3x3", "edge_12": "none", "edge_13": "none"}
    alive = {"edge_02": "nor_conv_1x1", "edge_23": "skip_connect", "edge_03": "none"}
    rng = np.random.default_rng(0)
    pair = [cells.complete({**alive, **dead, "edge_01": op}, rng) for op in ("nor_conv_3x3", "avg_pool_3x3")]
    kernel = WeisfeilerLehman(cells)
    np.testing.assert_allclose(kernel.parts(kernel.encode(pair)), 0, atol=1e-12)


def test_both_kernels_are_added(cells):
    """Its parts are those of the one and then of the other, and so is its weighted sum."""
    rng = np.random.default_rng(0)
    architectures = [cells.sample(rng) for _ in range(9)]
    both, kinds = Both(cells), (Hamming(cells), WeisfeilerLehman(cells))
    rows = both.encode(architectures)
    expected = np.concatenate([kind.parts(kind.encode(architectures)) for kind in kinds])
    np.testing.assert_allclose(both.parts(rows), expected, atol=1e-12)
    weights = rng.exponential(size=both.groups)
    whole = np.tensordot(weights, expected, 1)
    np.testing.assert_allclose(both.weighted(rows[:4], rows, weights), whole[:4], atol=1e-9)
    assert both.shares.sum() == pytest.approx(1)
