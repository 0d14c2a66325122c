"""Every strategy of the library through the public suite."""

import pytest

from netwright.strategies import NSGA2, STRATEGIES, Auto, Evolution, Genetic, Grid, LocalSearch, Random
from netwright.testing import check_strategy, toy
from netwright.trial import Objective

PRICE = Objective("price", "minimize")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: Evolution(population=6, tournament=3), id="evolution"),
        pytest.param(lambda: Evolution(population=1, tournament=1), id="evolution of one"),
        pytest.param(lambda: Grid(points=3, shuffle=True), id="grid, shuffled"),
        pytest.param(lambda: LocalSearch(starts=3, neighbourhood="first"), id="local search, first improvement"),
        pytest.param(lambda: Genetic(population=6, leaving="oldest"), id="genetic, ageing"),
        pytest.param(lambda: NSGA2(population=6), id="nsga2, small"),
    ],
)
def test_strategy(make):
    """It keeps the contract on a space of every kind."""
    check_strategy(make)


NAMES = sorted(name for name in STRATEGIES if not name.startswith("optuna-"))  # these are tried beside Optuna itself


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "ppo")) for name in NAMES])
def test_every_name(name):
    """Whatever has a name keeps the contract as it is made by its name."""
    check_strategy(STRATEGIES[name], deterministic=name == "grid")


@pytest.mark.parametrize("make", [Random, Auto, lambda: NSGA2(population=6)])
def test_several_objectives(make):
    """It keeps the contract with two objectives too."""
    check_strategy(make, objectives=(toy.OBJECTIVE, PRICE))


def test_auto_with_starts():
    """Starts, whole and partial, change nothing about the contract."""
    spaces = {"flat": toy.SPACES["flat"](), "constrained": toy.SPACES["constrained"]()}
    dials = {"dials": toy.SPACES["dials"]()}
    check_strategy(lambda: _Starting({"width": 3}, {"width": 2, "kernel": 3, "bias": True}), spaces)
    check_strategy(lambda: _Starting({"dial00": 3}, {"dial01": 1}), dials)


def _Starting(*starts):
    """Auto with those starts that the space knows; the suite also plays on a space of its own."""
    strategy = Auto()
    begin = strategy.start

    def start(space, objectives):
        names = {decision.name for decision in space.decisions}
        strategy.starts = tuple(partial for partial in starts if partial.keys() <= names)
        begin(space, objectives)

    strategy.start = start
    return strategy


def test_all_are_named():
    """Every name of the command line has what makes a strategy; other spellings are no names."""
    assert {"auto": Auto, "evolution": Evolution, "random": Random}.items() <= {**STRATEGIES}.items()
    assert all(callable(STRATEGIES[name]) for name in STRATEGIES)
    assert "Random" not in STRATEGIES
    with pytest.raises(KeyError):
        STRATEGIES["annealing"]


def test_a_package_adds_its_own(tmp_path, monkeypatch):
    """An entry point of the group netwright.strategies is a strategy by its name."""
    info = tmp_path / "mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[netwright.strategies]\nmine = netwright.strategies.random:Random\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert list(STRATEGIES)[-1] == "mine"
    assert STRATEGIES["mine"] is Random
