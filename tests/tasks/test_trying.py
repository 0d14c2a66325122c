"""A supernet that is tried before its training."""

from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from netwright.space import SearchSpace, choose, one_of, repeat
from netwright.supernet.supernet import Supernet
from netwright.tasks.trying import covering, fault
from netwright.training.data import Data
from netwright.zoo.nasnet import NASNet


class Heads(nn.Module):
    """A head of too few outputs, behind a block that is not always there."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        width = choose("width", 4, 8)
        self.stem = nn.Linear(5, width)
        self.body = repeat("depth", lambda i: one_of(f"op{i}", a=lambda: nn.Linear(width, width), b=nn.ReLU), 0, 2)
        self.head = one_of("head", small=lambda: nn.Linear(width, 1), large=lambda: nn.Linear(width, classes))

    def forward(self, x):
        return self.head(self.body(self.stem(x)))


class Broken(nn.Module):
    """An option of a block at the end of a conditional chain that takes another size."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.stem = nn.Linear(5, 4)
        self.body = repeat("depth", lambda i: one_of(f"op{i}", good=nn.ReLU, bad=lambda: nn.Linear(7, 4)), 0, 2)
        self.head = nn.Linear(4, classes)

    def forward(self, x):
        return self.head(self.body(self.stem(x)))


class Plain(nn.Module):
    """One output a row."""

    def __init__(self) -> None:
        super().__init__()
        self.first = one_of("first", a=lambda: nn.Linear(5, 1), b=lambda: nn.Sequential(nn.Linear(5, 1), nn.Tanh()))

    def forward(self, x):
        return self.first(x).squeeze(1)


def data(goal: str = "classification") -> Data:
    X = np.ones((6, 5), dtype=np.float32)
    if goal == "classification":
        return Data(X, np.arange(6, dtype=np.int64) % 3, ("x", "y", "z"))
    return Data(X, np.arange(6, dtype=np.float32), goal=goal)


def found(network: type[nn.Module], goal: str = "classification") -> str | None:
    error = fault(Supernet(SearchSpace(network)), data(goal), np.arange(6))
    return None if error is None else str(error)


@pytest.mark.parametrize("network", [Heads, Broken, NASNet])
def test_few_networks_have_every_option_once(network):
    """Also those that are asked for only because of another; of many connections some."""
    space = SearchSpace(network) if network is not NASNet else SearchSpace(NASNet, classes=10)
    met = [(name, answer) for architecture in covering(space) for name, answer in architecture.items()]
    wanted = [(d.name, option) for d in space.decisions if d.kind == "one_of" for option in d.options]
    assert set(wanted) <= set(met)
    assert len(list(covering(space))) <= 16


def test_an_answer_of_another_shape_is_told_by_decision_and_option():
    """And what the goal needs; here the head alone is wrong, whatever the other answers are."""
    assert found(Heads).startswith(
        "Heads: decision 'head' cannot be 'small': the network gives 2×1 for 2×5, and the goal needs 2×3"
    )


def test_an_option_that_cannot_run_is_told_with_its_reason():
    """By the decision, though others are the same in the network where it was met."""
    assert "decision 'op0' cannot be 'bad': RuntimeError: mat1 and mat2 shapes" in found(Broken)


def test_where_no_network_fits_none_of_the_decisions_is_blamed():
    """The goal has three classes, and all networks have one output."""
    assert "Plain cannot be trained: the network gives 2 for 2×5, and the goal needs 2×3" in found(Plain)


def test_numbers_may_come_in_any_shape():
    """One number a row, as a column or not, is what a regression needs."""
    assert found(Plain, "regression") is None
