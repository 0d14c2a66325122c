"""A supernet that is tried before its training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from netwright.errors import SpaceError
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


class Words(nn.Module):
    """Scores of seven tokens at each place of a text; or of six, or at the last place alone."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.head = one_of("head", right=lambda: nn.Linear(4, 7), few=lambda: nn.Linear(4, 6), last=Last)

    def forward(self, x):
        return self.head(self.embedding(x.long()))


class Last(nn.Linear):
    def __init__(self) -> None:
        super().__init__(4, 7)

    def forward(self, x):
        return super().forward(x[:, -1])


class Ahead(nn.Module):
    """Three numbers to come, in a row or one below the other; or two."""

    def __init__(self, **heads) -> None:
        super().__init__()
        self.head = one_of("head", **heads)

    def forward(self, x):
        return self.head(x)


class Shuffled(nn.Module):
    """Rows that are taken apart, or joined."""

    def __init__(self, rows: int, outputs: int) -> None:
        super().__init__()
        self.rows = rows
        self.body = one_of("body", right=nn.Identity, wrong=lambda: nn.Unflatten(0, (rows, -1)))
        self.head = nn.Linear(5, outputs)

    def forward(self, x):
        x = self.head(self.body(x))
        return x.reshape(self.rows, -1) if x.dim() > 2 else x


class Both(nn.Module):
    """A recurrent layer gives two things, and nobody takes them apart."""

    def __init__(self) -> None:
        super().__init__()
        self.body = one_of("body", plain=lambda: nn.Linear(5, 3), recurrent=lambda: nn.GRU(5, 3))

    def forward(self, x):
        return self.body(x)


class Sum(nn.Linear):
    """Scores of three classes from any number of features."""

    def __init__(self) -> None:
        super().__init__(1, 3)

    def forward(self, x):
        return super().forward(x.sum(1, keepdim=True))


class Corner(nn.Module):
    """A bias that is there where three sizes are 3 at once, and never else: the supernet has not seen it."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c = (choose(name, *range(2, 10)) for name in "abc")
        self.body = nn.Sequential(nn.Linear(5, a), nn.Linear(a, b, bias=a == b == c == 3), nn.Linear(b, c), Sum())

    def forward(self, x):
        return self.body(x)


def data(goal: str = "classification") -> Data:
    if goal == "tokens":
        text = np.arange(24).reshape(6, 4) % 7
        return Data(text.astype(np.float32), text.astype(np.int64), tuple("abcdefg"), goal=goal)
    if goal == "forecast":
        return Data(np.ones((6, 5), dtype=np.float32), np.ones((6, 3), dtype=np.float32), goal=goal)
    X = np.ones((6, 5), dtype=np.float32)
    if goal == "classification":
        return Data(X, np.arange(6, dtype=np.int64) % 3, ("x", "y", "z"))
    return Data(X, np.arange(6, dtype=np.float32), goal=goal)


def found(network: type[nn.Module], goal: str = "classification", **arguments) -> str | None:
    error = fault(Supernet(SearchSpace(network, **arguments)), data(goal), np.arange(6))
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


def test_tokens_come_as_numbers_and_each_place_has_scores():
    """Both heads that are wrong are told, one at a time: the first by what it gives, then the other."""
    assert found(Words, "tokens").startswith(
        "Words: decision 'head' cannot be 'few': the network gives 2×4×6 for 2×4, and the goal needs 2×4×7"
    )
    space = SearchSpace(Words).restrict(lambda architecture: architecture["head"] != "few")
    error = fault(Supernet(space), data("tokens"), np.arange(6))
    assert "decision 'head' cannot be 'last': the network gives 2×7 for 2×4, and the goal needs 2×4×7" in str(error)


def test_a_forecast_may_come_in_any_shape_of_as_many_numbers():
    """A column a step as well as a row; of another number of steps it is refused."""
    row, column = (lambda: nn.Linear(5, 3)), (lambda: nn.Sequential(nn.Linear(5, 3), nn.Unflatten(1, (3, 1))))
    assert found(Ahead, "forecast", row=row, column=column) is None
    assert found(Ahead, "forecast", row=row, short=lambda: nn.Linear(5, 2)).startswith(
        "Ahead: decision 'head' cannot be 'short': the network gives 2×2 for 2×5, and the goal needs 2×3"
    )


@pytest.mark.parametrize(
    ("goal", "rows", "outputs", "message"),
    [
        ("classification", 1, 3, "the network gives 1×6 for 2×5, and the goal needs 2×3"),
        ("regression", 1, 1, "the network gives 1×2 for 2×5, and the goal needs 2×1"),
    ],
)
def test_another_number_of_rows_is_told(goal, rows, outputs, message):
    """Even where there are as many numbers as there should be."""
    assert f"decision 'body' cannot be 'wrong': {message}" in found(Shuffled, goal, rows=rows, outputs=outputs)


def test_what_is_no_tensor_is_told():
    """By what it is instead, and by the option that gives it."""
    expected = "Both: decision 'body' cannot be 'recurrent': the network gives a tuple, and the goal needs a tensor"
    assert found(Both).startswith(expected)


def test_what_no_supernet_can_do_is_raised():
    """It is no fault of an option: the supernet's own sentence says what."""
    with pytest.raises(SpaceError, match=r"no tensor body\.1\.bias, which this architecture needs"):
        found(Corner)


def test_the_supernet_is_as_it_was():
    """A norm that is frozen stays so in a supernet that learns, and torch's numbers go on as they would have."""
    supernet = Supernet(SearchSpace(Broken)).train()
    supernet.network.stem.eval()
    modes, before = [module.training for module in supernet.modules()], torch.get_rng_state()
    assert fault(supernet, data(), np.arange(6)) is not None
    assert modes == [module.training for module in supernet.modules()]
    assert torch.equal(before, torch.get_rng_state())
