"""Trials that begin from the weights of another study: whose, for how long, and the same after a stop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from torch import nn

import netwright as nw
from netwright.architecture import Architecture
from netwright.errors import InputError
from netwright.strategies.base import Strategy
from netwright.study import Study
from netwright.study.ancestors import Ancestor, nearest
from netwright.training import Data, Recipe, save_weights, split
from netwright.trial import Proposal

WIDTHS = (4, 6, 8, 10, 12)


class Net(nn.Module):
    def __init__(self, input_shape, classes):
        super().__init__()
        width = nw.choose("width", *WIDTHS)
        self.body = nn.Sequential(nn.Linear(input_shape[0], width), nw.one_of("act", relu=nn.ReLU, tanh=nn.Tanh))
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        return self.head(self.body(x))


class InOrder(Strategy):
    """One width after the other, the last one as a child of trial 1."""

    def start(self, space, objectives):
        super().start(space, objectives)
        self.asked = 0

    def ask(self, rng):
        self.asked += 1
        if self.asked > len(WIDTHS):
            return None
        parent = 1 if self.asked == len(WIDTHS) else None
        return Proposal(Architecture({"width": WIDTHS[self.asked - 1], "act": "relu"}), inherits=parent)


def ancestor(folder: Path, trial: int, width: int, act: str = "relu") -> Ancestor:
    space = nw.SearchSpace(Net, input_shape=(5,), classes=3)
    architecture = Architecture({"width": width, "act": act})
    file = folder / f"{trial}.safetensors"
    return Ancestor("runs/old", trial, architecture, file, save_weights(file, space.build(architecture).state_dict()))


@pytest.fixture
def old(tmp_path: Path) -> list[Ancestor]:
    return [ancestor(tmp_path, 7, 12, "tanh"), ancestor(tmp_path, 3, 6)]


def study(store: Path | None, ancestors: list[Ancestor], **options) -> Study:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 5)).astype(np.float32)
    data = Data(X, (X @ rng.normal(size=(5, 3))).argmax(1), ("a", "b", "c"))
    train = nw.evaluators.Train(data, Recipe(epochs=2, batch_size=32, lr=0.05), split=split(data.y, 0))
    space = nw.SearchSpace(Net, input_shape=(5,), classes=3)
    return Study(space, InOrder(), train, maximize="val_accuracy", executor="in_process", store=store, parallel=1,
                 ancestors=ancestors, **options)  # fmt: skip


def test_the_nearest_is_the_one_with_the_fewest_other_answers():
    """An answer that one of the two does not have is another one; of equals the first."""
    some = [
        Ancestor("s", number, Architecture(answers), Path(), "")
        for number, answers in enumerate([{"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 2}, {"a": 2}])
    ]
    assert nearest(some, Architecture({"a": 1, "b": 2})) == some[1]
    assert nearest(some, Architecture({"a": 3, "b": 3})) == some[0]
    assert nearest(some, Architecture({"a": 2, "c": 1})) == some[3]
    assert nearest([], Architecture({"a": 1})) is None


def test_the_journal_says_whose_weights_a_trial_begins_from(old):
    """The nearest one's; a child of this study's own inherits from its parent alone."""
    one = study(None, old).run(max_trials=9)
    begins = [claim.begins for claim in one.history.claims]
    assert begins == [old[1].said()] * 4 + [None]
    assert old[1].said() == {"study": "runs/old", "trial": 3, "sha256": old[1].sha256}


def test_it_trains_as_long_as_from_scratch(old):
    """All epochs, none of them inherited; how many tensors were alike is told: all, or the bias of the last layer."""
    trials = study(None, old).run(max_trials=9).trials
    assert [trial.metrics["epochs"] for trial in trials] == [2, 2, 2, 2, 1]
    assert [trial.metrics["lineage_epochs"] for trial in trials[:4]] == [2, 2, 2, 2]
    assert [trial.metrics.get("inherited_tensors") for trial in trials] == [1, 4, 1, 1, None]


def test_the_history_is_the_same_after_a_stop(old, tmp_path):
    """What begins from whose weights is read from the journal, and goes on as it would have."""
    whole = study(tmp_path / "whole", old).run(max_trials=9)
    for count in (2, 9):
        parts = study(tmp_path / "parts", old).run(max_trials=count)
    assert [trial.metrics for trial in parts.trials] == [trial.metrics for trial in whole.trials]
    assert [claim.begins for claim in parts.history.claims] == [claim.begins for claim in whole.history.claims]


def test_a_trial_that_was_under_way_begins_from_the_same_weights_again(old, tmp_path, monkeypatch):
    """A claim without an end, as a driver that died leaves it."""
    from netwright.study.driver import Driver

    def die(self, claim):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Driver, "_submit", die)
        with pytest.raises(KeyboardInterrupt):
            study(tmp_path / "run", old).run(max_trials=1)
    again = study(tmp_path / "run", old).run(max_trials=9)
    assert again.history.claims[0].begins == old[1].said()
    assert [t.metrics for t in again.trials] == [t.metrics for t in study(None, old).run(max_trials=9).trials]


def test_a_study_goes_on_with_its_own_ancestors_alone(old, tmp_path):
    """Others would be another study."""
    study(tmp_path / "run", old).run(max_trials=2)
    with pytest.raises(InputError, match="another ancestors"):
        study(tmp_path / "run", old[:1])


def test_a_study_that_inherits_nothing_takes_none(old):
    """The two contradict each other."""
    with pytest.raises(InputError, match="takes none of another study"):
        study(None, old, inherit=False)
