"""Budgets in a study: what is ranked, what a promotion trains, and what survives an interruption."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.study.test_study import Scrambled, scrambled  # noqa: F401 - a fixture

from netwright.architecture import Architecture
from netwright.evaluators.base import Candidate
from netwright.evaluators.train import Train
from netwright.progress import Progress
from netwright.space import SearchSpace
from netwright.strategies import ASHA, BOHB, CurveStopping, Hyperband, SuccessiveHalving
from netwright.strategies.base import Strategy
from netwright.study import Study
from netwright.study.budgets import extent, fullest
from netwright.study.selection import ranked
from netwright.tasks.overview import show
from netwright.testing import toy
from netwright.training.data import Data
from netwright.training.recipes import Recipe
from netwright.training.splits import split
from netwright.trial import Budget, Objective, Proposal, State, Trial

RECIPE = Recipe(epochs=9, batch_size=16, lr=0.05)


def train(**options: Any) -> Train:
    X, y = toy.blobs(48)
    return Train(Data(X, y, ("left", "right")), RECIPE, split=split(y, 0), **options)


def study_of(strategy: Strategy, evaluator: Any, space: str = "flat", **options: Any) -> Study:
    settings: dict[str, Any] = {"executor": "in_process", "seed": 3, "parallel": 4, "maximize": "score", **options}
    return Study(toy.SPACES[space](), strategy, evaluator, **settings)


class Given(Strategy):
    """Proposes what it is given: pairs of the index of an architecture and a budget."""

    def __init__(self, steps: Sequence[tuple[int, Budget]]) -> None:
        self._steps = steps

    def start(self, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        super().start(space, objectives)
        self._left = list(self._steps)
        self._architectures = list(space.enumerate())

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        if not self._left:
            return None
        index, budget = self._left.pop(0)
        return Proposal(self._architectures[index], budget)


class Answering:
    """An evaluator, by a function, that says that it answers proxies."""

    answers_proxies = True

    def __init__(self, function: Callable[[Candidate], dict[str, float]]) -> None:
        self._function = function

    def __call__(self, candidate: Candidate) -> dict[str, float]:
        return self._function(candidate)


def answers(table: dict[tuple[int, Budget], dict[str, float]]) -> Answering:
    """An evaluator that looks its answer up."""
    places = {architecture: index for index, architecture in enumerate(toy.SPACES["flat"]().enumerate())}
    return Answering(lambda candidate: table[places[candidate.architecture], candidate.budget])


def at(number: int, budget: Budget, state: State = State.FINISHED) -> Trial:
    return Trial(number, Proposal(Architecture({"width": number}), budget), state, {"score": 0.5})


def test_the_order_of_budgets() -> None:
    """A proxy is the smallest, numbers are in their order, and None, the full one, is the largest."""
    assert ["proxy", 0.5, 1, 27, None] == sorted([None, 27, "proxy", 1, 0.5], key=extent)


def test_fullest() -> None:
    """Only the largest budget that has a score counts; a failure at a larger one does not, and a proxy never does."""
    trials = [at(0, 3), at(1, 9), at(2, 9.0), at(3, None, State.FAILED), at(4, 27, State.PRUNED), at(5, "proxy")]
    assert [1, 2] == [trial.number for trial in fullest(trials)]
    assert [6] == [trial.number for trial in fullest([*trials, at(6, None)])]
    assert [] == fullest([at(5, "proxy")])


TABLE: dict[tuple[int, Budget], dict[str, float]] = {
    (0, 1): {"score": 0.99, "price": 1.0},
    (1, 1): {"score": 0.3, "price": 1.0},
    (2, 3): {"score": 0.5, "price": 9.0},
    (1, 3): {"score": 0.6, "price": 9.0},
    (0, "proxy"): {"synflow": 5.0},
    (3, 3): {"score": 0.4, "price": 8.0},
    (4, 1): {"score": 0.98, "price": 1.0},
}


def test_what_is_ranked(tmp_path: Path) -> None:
    """Best, front, finalists, the live view and the overview go by the largest budget, whatever smaller ones say."""
    seen: list[Progress] = []
    study = study_of(
        Given(list(TABLE)), answers(TABLE), minimize="price", space="flat", store=tmp_path / "study", parallel=1
    )
    study.run(watch=seen.append)
    assert len(TABLE) == len(study.trials)
    assert study.best is not None
    assert study.best.number == 3
    assert [3, 5] == [trial.number for trial in study.pareto]
    assert [3, 5, 2, 0, 6] == [trial.number for trial in ranked(study)]  # each at its largest, the front first
    bests = [progress.best.number for progress in seen if progress.ended and progress.best]
    assert [0, 0, 2, 3, 3, 3, 3] == bests
    shown = show(tmp_path / "study")
    assert (3, [3, 5]) == (shown["best"]["number"], shown["pareto"])
    assert "proxy" == shown["trials"][4]["budget"]


def test_a_resumed_view_has_the_same_best(tmp_path: Path) -> None:
    """What was best is found again from the journal."""
    seen: list[Progress] = []
    for count in (5, 7):
        study = study_of(Given(list(TABLE)), answers(TABLE), minimize="price", store=tmp_path / "study", parallel=1)
        study.run(max_trials=count, watch=seen.append)
    assert [0, 0, 2, 3, 3, 3, 3] == [progress.best.number for progress in seen if progress.ended and progress.best]


def test_proxies_are_no_result() -> None:
    """A study of proxies alone has trials, and neither a best one nor a front."""
    study = study_of(Given([(0, "proxy"), (1, "proxy")]), Answering(lambda candidate: {"synflow": 1.0})).run()
    assert [State.FINISHED] * 2 == [trial.state for trial in study.trials]
    assert (None, [], []) == (study.best, study.pareto, ranked(study))


def test_only_a_proxy_may_lack_the_objective() -> None:
    """An answer without the objective is a failure at every other budget."""
    study = study_of(Given([(0, "proxy"), (1, 3), (2, None)]), Answering(lambda candidate: {"synflow": 1.0})).run()
    assert [State.FINISHED, State.FAILED, State.FAILED] == [trial.state for trial in study.trials]
    assert "no metric 'score'" in str(study.trials[1].error)


def test_what_is_known_of_every_network_is_the_proxy_of_an_evaluator_without() -> None:
    """Parameters and multiply-adds, without training; what is refused for them is refused."""
    study = study_of(Given([(0, "proxy"), (1, "proxy")]), train(), maximize="val_accuracy").run()
    known = {"params", "macs", "val_accuracy"}
    assert [{"params", "macs"}] * 2 == [trial.metrics.keys() & known for trial in study.trials]
    assert [0, 0] == [len(trial.curve) for trial in study.trials]


def test_a_limit_does_not_count_proxies() -> None:
    """Two trials are two that were evaluated, however many proxies came between."""
    steps: list[tuple[int, Budget]] = [(0, "proxy"), (1, "proxy"), (1, None), (2, "proxy"), (2, None), (3, None)]
    evaluator = Answering(lambda candidate: {"score": 1.0})
    study = study_of(Given(steps), evaluator, parallel=2).run(max_trials=2)
    assert ["proxy", "proxy", None, "proxy", None] == [trial.proposal.budget for trial in study.trials]
    assert 5 == len(study.run(max_trials=2).trials)


def trained(study: Study) -> list[tuple[Budget, float, float]]:
    return [(t.proposal.budget, t.metrics["epochs"], t.metrics["lineage_epochs"]) for t in study.trials]


def test_a_promotion_trains_what_is_missing(tmp_path: Path) -> None:
    """From 3 to 9 it trains 6 epochs more, and from 9 to 27 another 18, from the weights of its own trial."""
    study = study_of(SuccessiveHalving(3, 27), train(), maximize="val_accuracy", store=tmp_path / "study", parallel=1)
    study.run(max_trials=13)
    assert [(3, 3, 3)] * 9 + [(9, 6, 9)] * 3 + [(27, 18, 27)] == trained(study)
    assert [3] * 9 + [6] * 3 + [18] == [len(trial.curve) for trial in study.trials]


def test_without_inheritance_a_promotion_starts_over() -> None:
    """The exact mode: each budget is trained whole."""
    study = study_of(SuccessiveHalving(3, 9), train(), maximize="val_accuracy", inherit=False, parallel=1)
    study.run(max_trials=4)
    assert [(3, 3, 3)] * 3 + [(9, 9, 9)] == trained(study)


def test_the_epochs_of_hyperband() -> None:
    """A round of R = 9 trains 69 epochs in all; without inheritance it would be 78."""
    study = study_of(Hyperband(1, 9), train(), maximize="val_accuracy", parallel=1).run(max_trials=22)
    assert 69 == sum(trial.metrics["epochs"] for trial in study.trials)


def history(study: Study) -> list[tuple[Any, ...]]:
    return [(t.number, t.proposal, t.state, dict(t.metrics)) for t in study.trials]


STRATEGIES = {
    "successive halving": lambda: SuccessiveHalving(1, 9),
    "hyperband": lambda: Hyperband(1, 9),
    "asha": lambda: ASHA(1, 9),
    "bohb": lambda: BOHB(1, 9),
    "curve stopping": lambda: CurveStopping(1, 9, startup=2),
}


@pytest.mark.parametrize("name", STRATEGIES)
def test_an_interrupted_study_goes_on_alike(name: str, tmp_path: Path) -> None:
    """Stopped at any number it has the same history, metrics of promotions included: their weights were kept."""
    make = STRATEGIES[name]
    options: dict[str, Any] = {"maximize": "val_accuracy"}
    whole = study_of(make(), train(), **options).run(max_trials=24)
    assert any(trial.proposal.inherits is not None for trial in whole.trials)
    for count in (1, 9, 13, 24):
        parts = study_of(make(), train(), store=tmp_path / "study", **options).run(max_trials=count)
    assert history(whole) == history(parts)


@pytest.mark.parametrize("name", STRATEGIES)
def test_any_order_of_finishing(name: str, scrambled: Callable[[int], Scrambled]) -> None:  # noqa: F811
    """Four workers that end in whatever order make the history of one."""
    make = STRATEGIES[name]
    one = study_of(make(), _cheap, space="conditional").run(max_trials=80)
    four = study_of(make(), _cheap, space="conditional", executor=scrambled(1)).run(max_trials=80, n_jobs=4)
    assert history(one) == history(four)


def _cheap(candidate: Candidate) -> dict[str, float]:
    key = f"{candidate.architecture.to_json()} {candidate.budget}"
    return {"score": float(sum(key.encode()) % 97)}


def test_nothing_to_propose_for_now(tmp_path: Path) -> None:
    """Where the only architecture is pending there is nothing to propose; when it has ended it is promoted."""
    for count in (1, 2, 9):
        study = study_of(SuccessiveHalving(1, 9), _cheap, "point", store=tmp_path / "study").run(count, n_jobs=4)
        assert min(count, 3) == len(study.trials)
    assert [1, 3, 9] == [trial.proposal.budget for trial in study.trials]


def test_nothing_to_propose_for_now_in_any_order(scrambled: Callable[[int], Scrambled]) -> None:  # noqa: F811
    """An exhausted space has the same history for one worker and for four."""
    one = study_of(Hyperband(1, 9), _cheap).run()
    four = study_of(Hyperband(1, 9), _cheap, executor=scrambled(2)).run(n_jobs=4)
    assert 24 == len({trial.architecture for trial in one.trials})
    assert history(one) == history(four)


def test_asynchronous_waits_too() -> None:
    """Without an order too, what is pending may bring something to propose."""
    study = study_of(SuccessiveHalving(1, 9), _cheap, "point", asynchronous=True).run(n_jobs=4)
    assert [1, 3, 9] == [trial.proposal.budget for trial in study.trials]


def test_weights_that_nobody_needs_go(tmp_path: Path) -> None:
    """Of 40 trials a handful of files stays: what may be promoted, what is pending, and the best."""
    study = study_of(Hyperband(1, 9), train(), "conditional", maximize="val_accuracy", store=tmp_path / "study")
    study.run(max_trials=40)
    assert 1 <= len(list((tmp_path / "study" / "weights").glob("*.safetensors"))) <= 20
