"""What a one-shot search decides by the clock before it begins."""

from __future__ import annotations

import pytest

from netwright.errors import InfeasibleError, SpaceError
from netwright.evaluators import Train
from netwright.tasks import one_shot
from netwright.testing import toy
from netwright.training.data import Data
from netwright.training.splits import split

ABOUT = {"seed": 0, "device": "cpu", "trial_epochs": 1, "n_jobs": 1, "constraints": {}}


def training(classes: str) -> Train:
    X, y = toy.blobs(256)
    return Train(Data(X, y, tuple(classes)), split=split(y, 0))


@pytest.fixture
def train() -> Train:
    """On the toy's two classes."""
    return training("ab")


@pytest.fixture
def space():
    return toy.SPACES["cell"]()


def planned(train, space, method, left):
    return one_shot.plan(method, space, train, ABOUT, None if left is None else lambda: left, 1.0)


def test_only_the_time_that_is_left_is_planned_with(train, space):
    """A tenth of the time makes about a tenth of the epochs; none at all makes one."""
    long, short, none = (planned(train, space, "spos", left)["epochs"] for left in (1.0, 0.1, -3.0))
    assert none == 1
    assert short < long


def test_a_controller_learns_less_often_where_there_is_little_time(train, space):
    """As published where there is enough, once an epoch where there is none, and the study goes by it."""
    none, enough = planned(train, space, "enas", 0.0), planned(train, space, "enas", 1e5)
    assert (none["updates"], none["epochs"], enough["updates"]) == (1, 1, 30)
    assert "updates" not in planned(train, space, "enas", None)


def test_what_was_planned_is_what_the_controller_does(train, space, tmp_path):
    """Studies of before have no plan for it, and go on as published."""
    about = ABOUT | {"strategy": "enas", "objectives": [], "one_shot": {"epochs": 2, "updates": 3}}
    assert one_shot.make_one_shot(about, space, train, tmp_path).method.updates == 3
    about["one_shot"] = {"epochs": 2}
    assert one_shot.make_one_shot(about, space, train, tmp_path).method.updates == 30


def test_limits_are_looked_at_before_anything_is_planned(train, space):
    """Those on costs that are known without measuring, with the nearest miss."""
    with pytest.raises(InfeasibleError, match="params ≤ 1; the nearest has params"):
        one_shot.check_limits(space, train, ABOUT | {"constraints": {"params": 1, "latency_ms": 1}}, None, None)


def test_a_space_that_cannot_learn_the_data_is_refused(space):
    """Its networks have two outputs, and the data have three classes."""
    with pytest.raises(SpaceError, match="cannot be trained: the network gives 2×2 for 2×1×6×6, and the goal needs"):
        planned(training("abc"), space, "spos", None)
