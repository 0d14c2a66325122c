"""NAS-Bench-101's cells: pruning, validity, hashes, parameters."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from netwright.errors import InputError
from netwright.zoo import nasbench101
from netwright.zoo.nasbench101 import CONV1X1, CONV3X3, MAXPOOL3X3, Spec

INCEPTION = Spec(
    [[0, 1, 1, 1, 0, 1, 0], [0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0, 1],
     [0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0]],
    ["input", CONV1X1, CONV3X3, CONV3X3, CONV3X3, MAXPOOL3X3, "output"],
)  # fmt: skip


def cell(edges: str, *ops: str) -> Spec:
    """``cell("01 12 23", op, op)``: edges from a vertex to a vertex, the operations between."""
    count = len(ops) + 2
    matrix = np.zeros((count, count), dtype=int)
    for start, end in edges.split():
        matrix[int(start), int(end)] = 1
    return Spec(matrix, ["input", *ops, "output"])


def test_the_cell_of_the_readme() -> None:
    """Has the published number of parameters."""
    assert INCEPTION.valid
    assert 2_694_282 == INCEPTION.params()


def test_what_is_not_on_the_way_is_pruned() -> None:
    """Vertices without a way from the input or to the output go, with their edges."""
    spec = cell("01 14 02 34", CONV3X3, CONV1X1, MAXPOOL3X3)
    assert ((0, 1, 0), (0, 0, 1), (0, 0, 0)) == spec.matrix
    assert ("input", CONV3X3, "output") == spec.ops
    assert (5, 2) == (len(spec.given_ops), spec.edge_count)
    assert spec == cell("01 12", CONV3X3)


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (cell("01 23", CONV3X3, CONV1X1), "no way leads from its input to its output"),
        (cell("", CONV3X3), "no way leads"),
        (Spec([[0]], ["input"]), "no way leads"),
        (Spec([[0, 1], [0, 0]], ["output", "input"]), "its first vertex is 'input'"),
        (cell("01 12", "conv5x5"), "'conv5x5' is none of its operations"),
        (cell("01 12 23 34 45 56 67", *[CONV3X3] * 6), "it has 8 vertices, at most 7"),
        (cell("01 02 03 04 12 13 14 23 24 34", *[CONV3X3] * 3), "it has 10 edges, at most 9"),
    ],
)
def test_what_the_benchmark_does_not_have(spec: Spec, problem: str) -> None:
    """Is not valid, says why, and has no hash; nothing crashes, also where nothing is left after pruning."""
    assert not spec.valid
    assert problem in str(spec.problem)
    with pytest.raises(InputError, match="the cell is not one of NAS-Bench-101"):
        spec.hash  # noqa: B018


def test_limits_count_after_pruning() -> None:
    """A cell that only has too many vertices before is valid."""
    spec = cell("07", *[CONV3X3] * 6)
    assert spec.valid
    assert ("input", "output") == spec.ops


@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_matrices_and_operations_of_any_kind(kind: Any) -> None:
    """Lists, tuples and arrays are the same cell, and stay as they were."""
    matrix = kind([[0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]])
    ops = kind(["input", CONV3X3, CONV1X1, "output"])
    before = repr((matrix, ops))
    assert cell("01 12", CONV3X3).hash == Spec(matrix, ops).hash
    assert before == repr((matrix, ops))


@pytest.mark.parametrize(
    ("matrix", "ops", "message"),
    [
        ([[0, 1], [0, 0], [0, 0]], ["input", "output"], "is square"),
        ([], [], "is square"),
        ([[0, 1], [1, 0]], ["input", "output"], "upper triangular, found an edge in row 1, column 0"),
        ([[1, 1], [0, 0]], ["input", "output"], "upper triangular, found an edge in row 0, column 0"),
        ([[0, 2], [0, 0]], ["input", "output"], "holds 0 and 1, found 2"),
        ([[0, 1], [0, 0]], ["input"], "its matrix has 2 rows, ops 1 entries"),
    ],
)
def test_what_is_no_matrix(matrix: Any, ops: Any, message: str) -> None:
    """Is refused at once."""
    with pytest.raises(InputError, match=message):
        Spec(matrix, ops)


def test_isomorphic_cells_have_one_hash() -> None:
    """Every order of the vertices that stays upper triangular; another operation has another."""
    ops = [CONV1X1, CONV3X3, MAXPOOL3X3]
    edges = {(0, 1), (0, 2), (1, 4), (2, 3), (3, 4)}
    hashes = set()
    for order in itertools.permutations((1, 2, 3)):
        to = dict(zip((0, 1, 2, 3, 4), (0, *order, 4), strict=True))
        if all(to[a] < to[b] for a, b in edges):
            placed = sorted(range(1, 4), key=lambda v: to[v])
            hashes.add(cell(" ".join(f"{to[a]}{to[b]}" for a, b in edges), *(ops[v - 1] for v in placed)).hash)
    assert 1 == len(hashes)
    assert cell("01 02 14 23 34", CONV1X1, CONV3X3, CONV3X3).hash not in hashes


def test_published_hashes_and_parameters() -> None:
    """Of all 2,532 cells of up to five vertices, as recorded."""
    path = Path(__file__).parents[3] / "shared" / "data" / "ec_nas_bench" / "ecnas_5V9E_4epochs.npz"
    if not path.is_file():
        pytest.skip(f"the real table is not there ({path})")
    names = {**dict(enumerate(nasbench101.OPERATIONS)), -1: "input", -2: "output"}
    with np.load(path) as file:
        rows = zip(*(file[key].tolist() for key in ("hash", "params", "n_vertices", "adjacency", "ops")), strict=True)
    for known, params, count, matrix, ops in rows:
        spec = Spec([line[:count] for line in matrix[:count]], [names[op] for op in ops[:count]])
        assert (known.decode(), params) == (spec.hash, spec.params())


def test_the_number_of_cells() -> None:
    """Up to isomorphism, with at most four vertices: the published 91."""
    assert 91 == nasbench101.space(vertices=4).size


def test_channels_of_vertices() -> None:
    """The output's are shared by what it joins, the first taking what does not divide; others take the most needed."""
    assert [128, 43, 43, 42, 128] == cell("01 02 03 14 24 34", *[CONV3X3] * 3).channels(128, 128)
    assert [64, 64, 64, 128][:3] == cell("01 12 13 23", CONV3X3, CONV3X3).channels(64, 128)[:3]
    assert [3, 43, 43, 43, 42, 128] == cell("01 12 13 14 25 35 45", *[CONV3X3] * 4).channels(3, 128)


def test_built_networks_have_the_counted_parameters() -> None:
    """Of any cell, scaled down, and they run; uneven channels are cut."""
    space = nasbench101.space(input_shape=(3, 9, 9), channels=10, modules=1, classes=4)
    rng = np.random.default_rng(1)
    for one in [space.sample(rng) for _ in range(8)] + [INCEPTION.answers()]:
        network = space.build(one).eval()
        counted = Spec.of(one).params(channels=10, modules=1, classes=4)
        assert counted == sum(parameter.numel() for parameter in network.parameters())
        assert (2, 4) == network(torch.zeros(2, 3, 9, 9)).shape


def test_an_architecture_of_a_cell() -> None:
    """Has the same hash, in a space that is large enough."""
    assert INCEPTION.hash == nasbench101.hash_of(INCEPTION.answers())
    small = cell("01 12", CONV1X1)
    assert small == Spec.of(small.answers(4)) == Spec.of(small.answers())
    with pytest.raises(InputError, match="7 vertices is none of a space with 5"):
        INCEPTION.answers(5)


def test_the_graph_of_a_cell() -> None:
    """Is the pruned one."""
    graph = nasbench101.NASBench101.graph(cell("01 12", CONV1X1).answers())
    assert (("input", CONV1X1, "output"), ((0, 1), (1, 2))) == (graph.operations, graph.edges)
