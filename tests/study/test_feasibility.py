"""What is looked for before a search: networks that keep the limits, in the time that there is."""

from __future__ import annotations

from typing import Any

import pytest

from netwright.errors import InfeasibleError, Interrupted
from netwright.executors import InProcess
from netwright.space import SearchSpace
from netwright.strategies import Random
from netwright.study import Study, feasibility
from netwright.study.candidates import make_limits
from netwright.study.feasibility import Feasibility
from netwright.testing import toy


@pytest.fixture
def space() -> SearchSpace:
    """More architectures than are drawn."""
    return toy.SPACES["cell"]()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the seconds that it looks in any case."""
    monkeypatch.setattr(feasibility, "LEAST_SECONDS", 0.0)


def looked(space: SearchSpace, limit: float) -> Feasibility:
    return Feasibility(space, toy.INPUT_SHAPE, make_limits({"params": limit}), InProcess(), ("params",))


def test_looking_ends_with_the_time(space: SearchSpace) -> None:
    """The nearest miss is that of what was looked at until then."""
    seconds = iter([3.0, 2.0, 1.0, 0.0])
    some = looked(space, 1)
    with pytest.raises(InfeasibleError, match="found in the time meets params ≤ 1; the nearest has params"):
        some.require(0, left=lambda: next(seconds))
    assert len(some.known) <= 4


def test_looking_downhill_ends_with_the_time_as_well(space: SearchSpace) -> None:
    """A network is drawn that breaks the limit, and one of its neighbours is looked at."""
    seconds = iter([1.0, 0.0])
    some = looked(space, 1)
    with pytest.raises(InfeasibleError, match="found in the time"):
        some.require(0, draws=1, left=lambda: next(seconds))
    assert len(some.known) == 2


def test_what_keeps_the_limits_is_enough_however_little_time_there_is(space: SearchSpace) -> None:
    """Nothing is raised."""
    looked(space, 1e9).require(0, left=lambda: -1.0)


def test_a_study_looks_no_longer_than_its_time_limit(space: SearchSpace) -> None:
    """Its clock says how long that is."""
    ticks = iter(range(0, 10_000, 5))
    options: dict[str, Any] = {"maximize": "score", "constraints": {"params": 1}, "executor": "in_process"}
    study = Study(space, Random(), Costed(), **options, clock=lambda: float(next(ticks)))
    with pytest.raises(InfeasibleError, match="found in the time"):
        study.run(time_limit=12)


def test_a_signal_ends_the_looking(space: SearchSpace) -> None:
    """What asks for the time that is left may say that there is none for another reason."""

    def left() -> float:
        raise Interrupted("Stopped by Ctrl-C")

    with pytest.raises(Interrupted):
        looked(space, 1).require(0, left=left)


class Costed:
    """Needs parameters to be known."""

    costs = ("params",)
    input_shape = toy.INPUT_SHAPE

    def __call__(self, candidate: Any) -> dict[str, float]:
        return {"score": 1.0}
