"""The evaluator of a table, alone and in studies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest

import netwright as nw
from netwright.errors import InputError
from netwright.evaluators import Candidate, Heritage
from netwright.evaluators.tables import Table
from netwright.evaluators.tables.own import declared_space
from netwright.strategies import Strategy
from netwright.trial import Proposal, State


def candidate(table: Table, row: int = 6, budget: Any = None, epochs: float | None = None) -> Candidate:
    heritage = None if epochs is None else Heritage(0, Path(), True, epochs)
    return Candidate(table.architecture(row), table.space, budget, heritage=heritage)


def test_it_answers_with_the_numbers_of_the_table(small: Table) -> None:
    """At its fidelity and seed, with costs where they are asked for, the epochs and the seconds."""
    evaluate = small.evaluator(["accuracy", "params"], fidelity=9, seed=1)
    assert {"accuracy": 0.62, "params": 600, "epochs": 9, "train_seconds": 23} == evaluate(candidate(small))
    mean = small.evaluator("accuracy", fidelity=9, seed="mean")
    assert pytest.approx(0.61) == mean(candidate(small))["accuracy"]


def test_a_budget_is_a_fidelity(small: Table) -> None:
    """A number is that fidelity; one that the table lacks lists those that it has."""
    evaluate = small.evaluator("accuracy", fidelity=9, seed="mean")
    assert {"accuracy": 0.06, "epochs": 3, "train_seconds": 7} == evaluate(candidate(small, budget=3))
    assert evaluate(candidate(small, budget=3)) == evaluate(candidate(small, budget=3.0))
    with pytest.raises(InputError, match="'accuracy' is not known at fidelity 4, but at 3, 9"):
        evaluate(candidate(small, budget=4))
    with pytest.raises(InputError, match="found 'half'"):
        evaluate(candidate(small, budget="half"))


def test_a_proxy_is_what_is_known_before_training(small: Table) -> None:
    """Its parameters, and no number of training."""
    assert {"params": 600} == small.evaluator("accuracy", fidelity=9, seed=0)(candidate(small, budget="proxy"))


def test_proxies_of_a_data_set(nasbench201: Table) -> None:
    """Are those that go with the metric, under their plain names."""
    found = [
        nasbench201.evaluator(f"{dataset}.valid", fidelity=12, seed="mean")(candidate(nasbench201, 0, "proxy"))
        for dataset in ("cifar10", "cifar100", "imagenet16-120")
    ]
    assert [129_306, 135_156, 136_456] == [metrics["params"] for metrics in found]
    assert [15_647_370, 15_653_220, 3_919_480] == [metrics["macs"] for metrics in found]


def test_a_promotion_pays_the_difference(small: Table) -> None:
    """Of the seconds: what its own smaller budget has paid is not paid again; a parent's budget is none of its own."""
    evaluate = small.evaluator("accuracy", fidelity=9, seed="mean")
    assert 23 - 7 == evaluate(candidate(small, epochs=3))["train_seconds"]
    child = Candidate(small.architecture(6), small.space, heritage=Heritage(0, Path(), False, 3))
    assert 23 == evaluate(child)["train_seconds"]


def test_what_the_table_lacks_is_refused_at_once(small: Table) -> None:
    """When the evaluator is made, not at the first candidate."""
    for metrics, fidelity, seed in (("acuracy", 9, 0), ("accuracy", 5, 0), ("accuracy", 9, 2), ((), 9, 0)):
        with pytest.raises(InputError):
            small.evaluator(metrics, fidelity=fidelity, seed=seed)  # type: ignore[arg-type]
    numbers = np.array([[1.0, 3.0], [5.0, np.nan]])
    table = Table("two", declared_space({"a": (0, 1)}), np.array([[0], [1]]), {"score": numbers})
    with pytest.raises(InputError, match="1 of 2 architectures have no seed 1 of 'score'"):
        table.evaluator("score", fidelity=None, seed=1)


def test_it_travels(small: Table) -> None:
    """To another process, with its table."""
    evaluate = cloudpickle.loads(cloudpickle.dumps(small.evaluator("accuracy", fidelity=9, seed=0)))
    assert 0.6 == evaluate(candidate(small))["accuracy"]


def test_a_study_finds_the_best_of_a_table(small: Table) -> None:
    """In this process, without building a network; all twelve are found and no cost is measured."""
    study = nw.Study(
        small.space, "random", small.evaluator(["accuracy", "params"], fidelity=9, seed="mean"),
        maximize="accuracy", minimize="params", parallel=1,
    )  # fmt: skip
    study.run()
    assert 12 == len(study.trials)
    assert small.architecture(11) == study.best.architecture
    assert 12 == len(study.pareto)


class Promote(Strategy):
    """Three at three epochs, then the first of them at nine."""

    def start(self, space: Any, objectives: Any) -> None:
        super().start(space, objectives)
        self._asked = 0

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        self._asked += 1
        architectures = list(self.space.enumerate())
        if self._asked <= 3:
            return Proposal(architectures[self._asked], budget=3)
        return Proposal(architectures[1], budget=9, inherits=0) if self._asked == 4 else None


def test_a_study_tells_a_promotion_what_was_paid(small: Table) -> None:
    """The trial at nine epochs of an architecture that had three costs the rest."""
    study = nw.Study(
        small.space, Promote(), small.evaluator("accuracy", fidelity=9, seed="mean"), maximize="accuracy", parallel=1
    )
    study.run()
    assert [State.FINISHED] * 4 == [trial.state for trial in study.trials]
    assert [2.0, 3.0, 4.0, (3 * 1 + 5) - 2.0] == [trial.metrics["train_seconds"] for trial in study.trials]
    assert [3, 3, 3, 9] == [trial.metrics["epochs"] for trial in study.trials]
