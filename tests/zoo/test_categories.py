"""Categories that come as numbers: their vectors, and the columns that tell them apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import netwright as nw
from netwright.tasks.spaces import find_space
from netwright.zoo.baselines import baseline
from netwright.zoo.categories import APART, Embedded, ToldApart, Vectors
from netwright.zoo.several import Rows

CODES = [[1, 40], [3, 35]]
"""Of four columns the second holds 40 numbers and the last 35."""
X = torch.tensor([[0.5, 0.0, -1.0, 34.0], [0.1, 39.0, 2.0, 1.0], [0.2, 7.0, 3.0, 33.0]])


def test_vectors_are_rows_of_one_table() -> None:
    """The second category's come behind the first one's; what lies beyond the numbers takes the nearest."""
    vectors = Vectors(CODES, 3)
    table = vectors.table.weight
    assert (75, 3) == tuple(table.shape)
    expected = torch.stack([table[[0, 40 + 34]], table[[39, 40 + 1]], table[[7, 40 + 33]]])
    assert torch.equal(expected, vectors(X))
    assert torch.equal(table[[0, 74]], vectors(torch.tensor([[0.0, -7.0, 0.0, 99.0]]))[0])


def test_what_is_missing_or_unknown_begins_at_zero() -> None:
    """The first and the last row of each category, and no other; they learn."""
    vectors = Vectors(CODES, 3)
    zero = [row for row in range(75) if not vectors.table.weight[row].any()]
    assert [0, 39, 40, 74] == zero
    vectors(X).sum().backward()
    assert vectors.table.weight.grad is not None
    assert bool((vectors.table.weight.grad[[0, 39, 74]] == 1).all())


def test_embedded_columns_are_the_last() -> None:
    """First the first entry of each vector, then the second one's; a shorter vector takes the first inputs."""
    embedded = Embedded(4, CODES, 2)
    first, second = embedded.vectors(X).unbind(1)
    expected = [X[:, 0], X[:, 2], first[:, 0], second[:, 0], first[:, 1], second[:, 1]]
    assert torch.equal(torch.stack(expected, 1), embedded(X))


def test_told_apart() -> None:
    """A column for each of the most frequent values and one for all others; a missing one is none of them."""
    made = ToldApart(4, CODES)(X)
    assert (3, 2 + 2 * (APART + 1)) == tuple(made.shape)
    assert torch.equal(X[:, [0, 2]], made[:, :2])
    edge = ToldApart(1, [[0, 40]])(torch.tensor([[float(APART)], [APART + 1.0]]))
    assert [[0, APART - 1], [1, APART]] == edge.nonzero().tolist()
    first, second = made[:, 2:].split(APART + 1, 1)
    assert [[], [APART], [6]] == [row.nonzero().flatten().tolist() for row in first]
    assert [[APART], [0], [APART]] == [row.nonzero().flatten().tolist() for row in second]


class Plain(nn.Module):
    """A user's network that knows nothing of codes."""

    def __init__(self, input_shape: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        self.layer = nn.Linear(input_shape[0], nw.choose("width", 4, 8))
        self.head = nn.Linear(self.layer.out_features, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.head(self.layer(x))
        return made


@pytest.mark.parametrize("space", [Plain, "tables", "compact-tables", "table-networks"])
def test_spaces_of_tables_take_codes(space: object) -> None:
    """Networks that do not name them get columns of zeros and ones: two values of a category are two answers."""
    found = find_space(space, kind="tables", input_shape=(4,), outputs=2, facts={"codes": CODES}).space
    network = found.build(found.sample(np.random.default_rng(0))).eval()
    x = torch.tensor([[0.5, code, 0.0, 3.0] for code in (1.0, 2.0)])
    answers = network(x)
    assert (2, 2) == tuple(answers.shape)
    assert not torch.allclose(answers[0], answers[1])
    if space is Plain:
        assert 2 + 2 * (APART + 1) == network[1].layer.in_features
        assert "Plain" == found.name


def test_the_baseline_sees_what_it_saw() -> None:
    """The pinned perceptron has an input for each of the columns of zeros and ones, whatever the data come as."""
    network = baseline("tables").build((4,), 2, {"codes": CODES})
    assert (3, 2) == tuple(network(X).shape)
    assert 2 + 2 * (APART + 1) == network[1].body[0].in_features


def test_a_row_among_several_inputs() -> None:
    """Its categories are embedded, by vectors whose size is open."""
    space = nw.SearchSpace(Rows, features=4, outputs=3, codes=CODES)
    assert "embedding" in {decision.name for decision in space.decisions}
    network = space.build({"width": 16, "embedding": 8, "depth": 0})
    assert (3, 3) == tuple(network(X).shape)
    assert 2 + 2 * 8 == network.entry[1].in_features
