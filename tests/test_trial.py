"""What moves between the parts."""

import dataclasses

import pytest

from netwright.architecture import Architecture
from netwright.trial import Failure, Objective, Proposal, Report, State, Trial

WIDE = Architecture({"width": 8})


def test_an_objective_knows_its_direction():
    """Better is larger, or smaller where it is minimized; equal is never better."""
    up, down = Objective("accuracy"), Objective("loss", "minimize")
    assert (up.better(2, 1), up.better(1, 2), up.better(1, 1)) == (True, False, False)
    assert (down.better(2, 1), down.better(1, 2), down.better(1, 1)) == (False, True, False)


def test_a_score_is_larger_where_it_is_better():
    """The sign is turned where the metric is minimized."""
    metrics = {"accuracy": 0.9, "loss": 0.3}
    assert Objective("accuracy").score(metrics) == 0.9
    assert Objective("loss", "minimize").score(metrics) == -0.3


@pytest.mark.parametrize(
    "value",
    [Objective("a"), Proposal(WIDE), Report(1, {}), Failure("died", ""), Trial(0, Proposal(WIDE), State.FAILED)],
)
def test_values_are_frozen(value):
    """Nothing that moves can be changed on its way."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, dataclasses.fields(value)[0].name, None)


@pytest.mark.parametrize("state", State)
def test_scored(state):
    """A trial has a score when it finished or was reused, and else not."""
    assert (state in ("finished", "reused")) == Trial(0, Proposal(WIDE), state).scored


def test_a_proposal_is_its_architecture_budget_and_heritage():
    """Proposals are equal when all three are, and can be counted in a set."""
    assert len({Proposal(WIDE), Proposal(Architecture({"width": 8})), Proposal(WIDE, 3), Proposal(WIDE, None, 1)}) == 3


def test_a_trial_as_a_value():
    """The object that programs read has whole counts and plain values."""
    trial = Trial(
        3, Proposal(WIDE, 5, 1), State.FINISHED, {"val_accuracy": 0.5, "params": 10.0, "macs": 20.0}, seconds=1.5
    )
    assert trial.to_value() == {
        "number": 3,
        "architecture": {"width": 8},
        "budget": 5,
        "state": "finished",
        "metrics": {"val_accuracy": 0.5, "params": 10.0, "macs": 20.0},
        "params": 10,
        "macs": 20,
        "error": None,
        "seconds": 1.5,
        "inherits": 1,
    }


def test_a_failed_trial_as_a_value():
    """The error is one line: its kind and its message; costs that were not measured are None."""
    trial = Trial(0, Proposal(WIDE), State.FAILED, error=Failure("timeout", "longer than 5 s", "a long story"))
    value = trial.to_value()
    assert (value["error"], value["params"], value["macs"]) == ("timeout: longer than 5 s", None, None)


@pytest.mark.parametrize(
    ("trial", "text"),
    [
        (
            Trial(3, Proposal(WIDE), State.FINISHED, {"val_accuracy": 0.97512, "params": 8842.0}),
            "trial 3 (finished: val_accuracy=0.9751, params=8842): width=8",
        ),
        (
            Trial(0, Proposal(WIDE), State.FINISHED, {"a": 1e-7, "b": -0.5, "c": 2.0, "d": 3.0, "e": 4.0}),
            "trial 0 (finished: a=1e-07, b=-0.5, c=2, d=3, …): width=8",
        ),
        (
            Trial(0, Proposal(WIDE), State.FINISHED, {"a": 1.0, "b": 1.0, "c": 2.0, "d": 3.0, "val_loss": 4.0}),
            "trial 0 (finished: val_loss=4, a=1, b=1, c=2, …): width=8",
        ),
        (
            Trial(1, Proposal(WIDE), State.FAILED, error=Failure("timeout", "took 9 s")),
            "trial 1 (failed: timeout: took 9 s): width=8",
        ),
        (Trial(2, Proposal(WIDE), State.RUNNING), "trial 2 (running): width=8"),
    ],
)
def test_the_text_of_a_trial_is_one_line(trial, text):
    """Number, state, the scores and the first other metrics or the failure, and the architecture."""
    assert text == str(trial)
