"""Selection: whom it chooses, and on which data."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import netwright as nw
from netwright.errors import InfeasibleError, InputError, NetwrightError, TooManyFailures
from netwright.evaluators import Candidate, Train
from netwright.study import selection as selection_module
from netwright.study.candidates import make_limits
from netwright.study.selection import (
    FEW,
    FOLDS,
    MAX_REFITS,
    PLANS,
    Plan,
    choose_plan,
    cross_parts,
    few_to_judge,
    ranked,
    select,
)
from netwright.testing import toy
from netwright.testing.toy import blobs
from netwright.training import Data, split
from netwright.training.recipes import Recipe
from netwright.training.splits import Split
from netwright.trial import Proposal, State, Trial

RECIPE = Recipe.images().replace(epochs=12, augment=())


class Sight(nn.Module):
    """Sees its input, or not."""

    def __init__(self, input_shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.sight = nw.choose("sight", 0.0, 1.0)
        self.head = nn.Linear(36, classes)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.sight * x.flatten(1))
        return out


class Shades(Sight):
    """Sees more or less of its input."""

    def __init__(self, input_shape: tuple[int, ...], classes: int) -> None:
        nn.Module.__init__(self)
        self.sight = nw.choose("sight", 0.0, 0.3, 0.6, 1.0)
        self.head = nn.Linear(36, classes)


class Fragile(Sight):
    """Cannot be made with some of the seeds of retraining."""

    broken: tuple[int, ...] = (1000,)

    def __init__(self, input_shape: tuple[int, ...], classes: int) -> None:
        super().__init__(input_shape, classes)
        if not self.head.weight.is_meta and torch.initial_seed() in self.broken:
            raise RuntimeError("not with this seed")


class Hopeless(Fragile):
    """Cannot be retrained at all."""

    broken = (1000, 1001)


class Boastful(Train):
    """Praises the blind, and doubts the others."""

    def __call__(self, candidate: Candidate) -> dict[str, float]:
        metrics = super().__call__(candidate)
        return {**metrics, "val_accuracy": 0.9 if candidate.architecture["sight"] else 1.0}


class Failing(Train):
    """Never comes to an end."""

    def __call__(self, candidate: Candidate) -> dict[str, float]:
        raise RuntimeError("no luck")


def study_of(network: type[nn.Module], kind: type[Train] = Train, trials: int = 2) -> nw.Study:
    X, y = blobs(160)
    data = Data(X, y, ("left", "right"))
    train = kind(data, RECIPE, split=split(y, 0), epochs=3)
    space = nw.SearchSpace(network, input_shape=(1, 6, 6), classes=2)
    study = nw.Study(space, "random", train, maximize="val_accuracy", executor="in_process")
    return study.run(max_trials=trials)


def test_the_search_score_does_not_decide() -> None:
    """A trial with an inflated score of the search loses on the selection data, which the search never saw."""
    study = study_of(Sight, Boastful)
    assert study.best is not None
    assert study.best.architecture["sight"] == 0.0
    selected = select(study, plan=Plan(2, 1, 1, 12), baseline="digits")
    assert selected.trial.architecture["sight"] == 1.0
    (_, first), (_, second) = selected.ranking
    assert first > 0.8 > second


def test_a_failed_retraining_is_left_out() -> None:
    """The others are kept, and the network is that of the first seed that is left."""
    study = study_of(Fragile)
    selected = select(study, plan=Plan(1, 0, 3, 4), baseline="digits")
    assert selected.winner.seeds == (1001, 1002)
    assert selected.baseline.seeds == (1000, 1001, 1002)
    assert "-1001-" in selected.weights.name
    assert selected.weights.is_file()


def test_all_retrainings_fail() -> None:
    """Then there is no network, and the error has the first cause."""
    with pytest.raises(NetwrightError, match=r"every retraining failed .*not with this seed"):
        select(study_of(Hopeless), plan=Plan(1, 0, 2, 4), baseline="digits")


def test_more_seeds_while_there_is_time() -> None:
    """The time that is left goes into refits, of the winner and of the baseline alike; asked again, as many."""
    study = study_of(Sight)
    for left in (1e9, 0.0):
        selected = select(study, plan=Plan(1, 0, 2, 2), baseline="digits", deadline=lambda left=left: left)
        assert selected.winner.seeds == selected.baseline.seeds == tuple(range(1000, 1000 + MAX_REFITS))


def test_no_more_seeds_without_time() -> None:
    """Then there are those of the plan."""
    selected = select(study_of(Sight), plan=Plan(1, 0, 2, 2), baseline="digits", deadline=lambda: 0.0)
    assert selected.winner.seeds == (1000, 1001)


class Slow(Sight):
    """Takes its time for each step, as long as nobody has to be retrained longer for it."""

    seconds = 0.0

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            time.sleep(Slow.seconds)
        return super().forward(x)


def test_what_does_not_fit_into_the_time_trains_shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network became slower than its trials were: it has fewer epochs, and the baseline has as many."""
    study = study_of(Slow)
    # A step an epoch: a tenth of a second.
    monkeypatch.setattr(Slow, "seconds", 0.1)
    ends = time.monotonic() + 4.0
    selected = select(study, baseline="digits", epochs=400, deadline=lambda: ends - time.monotonic())
    trained = study.noted("trained")
    # One seed or two, as fast as the trials were.
    spans = [note["fitted"]["epochs"] for note in trained if note["part"] == "refit" and "baseline" not in note["key"]]
    assert spans == [note["fitted"]["epochs"] for note in trained if "baseline" in note["key"]]
    # At least as long as the trial, whose first one may wait for torch to be loaded.
    longest = max(4.0, *(trial.seconds for trial in study.trials))
    assert 1 < min(spans) <= max(spans) <= longest / 0.1 < 400
    assert selected.fitted["epochs"] == spans[0]
    # Asked again, nothing is trained anew.
    again = select(study, baseline="digits", epochs=400, deadline=lambda: 0.0)
    assert again.winner.score == selected.winner.score
    assert study.noted("trained") == trained


def test_a_retraining_is_at_least_as_long_as_the_trial() -> None:
    """However late it is: what is handed over is not worse for having been found."""
    study = study_of(Sight)
    selected = select(study, baseline="digits", deadline=lambda: -5.0)
    assert study.best is not None
    (ours,) = [note for note in study.noted("trained") if note["part"] == "refit" and "baseline" not in note["key"]]
    assert ours["fitted"]["epochs"] >= 2
    assert selected.winner.seeds == (1000,)


def test_selection_needs_something_to_select() -> None:
    """A study without a trial, or without data, is told what it lacks."""
    data = Data(*blobs(40), ("left", "right"))
    space = nw.SearchSpace(Sight, input_shape=(1, 6, 6), classes=2)
    train = Train(data, RECIPE, split=split(data.y, 0))
    with pytest.raises(InputError, match="no trial of the study has ended yet"):
        select(nw.Study(space, "random", train, maximize="val_accuracy"))
    with pytest.raises(InputError, match="needs a study that trains on a data set"):
        select(nw.Study(space, "random", lambda network: 1.0, maximize="score"))


def test_the_verdict_of_a_study(tmp_path: Path) -> None:
    """``verdict`` selects, refits and compares; asked again it trains nothing again."""
    study = study_of(Sight)
    first = study.verdict(plan=Plan(2, 1, 2, 4), baseline="digits")
    trained = len(study.noted("trained"))
    assert first.result in ("better", "equal", "worse", "undecided")
    assert study.verdict(baseline="digits") == first
    assert len(study.noted("trained")) == trained == 2 + 2 + 2


def test_ranked_names_each_architecture_once() -> None:
    """Equal scores go by fewer multiplications, then by number."""
    study = study_of(Sight, Boastful)
    assert [trial.architecture["sight"] for trial in ranked(study)] == [0.0, 1.0]


@pytest.mark.parametrize(
    ("left", "expected", "seconds"),
    [
        (None, (6, 2, 2), 25.0),
        (1e6, (6, 2, 2), 25.0),
        (24.9, (4, 2, 2), 20.0),
        (15.0, (4, 1, 2), 15.0),
        (0.0, (1, 0, 1), 10.0),
    ],
)
def test_the_plan_fits_into_the_time(left: float | None, expected: tuple[int, int, int], seconds: float) -> None:
    """The fullest plan that fits, and the least one where none does: 10 epochs of a second, 4 workers.

    By hand: rounds of four trainings, finalists of five epochs and refits of ten.
    """
    plan = choose_plan(left, 1.0, 10, 4, available=9)
    assert (plan.finalists, plan.judged_seeds, plan.refit_seeds) == expected
    assert seconds == plan.seconds(1.0, 4)


def test_the_plan_has_no_more_finalists_than_there_are() -> None:
    """With a single architecture there is nothing to judge."""
    assert choose_plan(None, 1.0, 10, 2, available=1) == Plan(1, 0, PLANS[0][2], 10)


def test_epochs_are_halved_before_finalists_are_given_up() -> None:
    """Down to the usual number, and not below it."""
    assert choose_plan(100, 1.0, 120, 2, available=9, usual=30) == Plan(2, 1, 2, 60)
    assert choose_plan(100, 1.0, 120, 2, available=9, usual=100) == Plan(1, 0, 1, 120)
    # One finalist, judged for its length alone, is none that was chosen.
    assert choose_plan(130, 1.0, 160, 1, available=9, usual=40) == Plan(2, 1, 2, 40)
    assert choose_plan(100, 1.0, 80, 1, available=9, usual=80) == Plan(1, 0, 1, 80)
    assert choose_plan(130, 1.0, 80, 1, available=9, usual=80) == Plan(1, 1, 1, 80)


def test_a_limit_that_no_trial_kept_is_told_with_the_nearest_miss() -> None:
    """As one before training is: with the code of what is infeasible."""
    study = study_of(Sight)
    study.limits = make_limits({"val_accuracy": 1.5})
    with pytest.raises(InfeasibleError, match=r"none of 2 trials meets val_accuracy ≥ 1.5; the nearest, trial \d, has"):
        select(study)


def test_where_everything_failed_the_causes_are_told() -> None:
    """With the code of too many failures, however few trials there were."""
    data = Data(*blobs(40), ("left", "right"))
    space = nw.SearchSpace(Sight, input_shape=(1, 6, 6), classes=2)
    study = nw.Study(space, "random", Failing(data, RECIPE, split=split(data.y, 0)), maximize="val_accuracy",
                     executor="in_process")  # fmt: skip
    study.run(max_trials=2)
    with pytest.raises(TooManyFailures, match=r"2× exception: .*no luck"):
        select(study)


def test_a_known_good_start_is_always_a_finalist(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short trainings may rank it last; the last place among the finalists is its own."""
    study = study_of(Shades, Boastful, trials=4)
    assert [0.0, 0.3, 0.6, 1.0] == sorted(trial.architecture["sight"] for trial in ranked(study))
    last = ranked(study)[-1]
    monkeypatch.setattr(study.strategy, "known_good", lambda: ({"sight": last.architecture["sight"]},))
    selected = select(study, plan=Plan(2, 1, 1, 2), baseline="digits")
    assert {ranked(study)[0].number, last.number} == {number for number, _ in selected.ranking}


class Seer(Train):
    """Keeps no trial's true score: all are praised alike."""

    def __call__(self, candidate: Candidate) -> dict[str, float]:
        return {**super().__call__(candidate), "val_accuracy": 0.9, "val_loss": 0.1}


def test_few_examples_are_judged_by_cross_validation() -> None:
    """Every example but the test's judges each finalist once, by a network that did not train on it."""
    study = study_of(Shades, Seer, trials=8)
    selected = select(study, epochs=12, baseline="digits", n_jobs=1)
    assert selected.plan.crossed
    assert selected.plan.judged_seeds == FOLDS
    train = study.evaluator
    assert isinstance(train, Train)
    parts = cross_parts(train)
    assert sorted(np.concatenate([judges for _, judges in parts])) == train.split.development.tolist()
    judged = [note for note in study.noted("trained") if note["part"] == "judge"]
    assert len(judged) == FOLDS * len(selected.ranking)
    assert {note["key"].split("-")[0] for note in judged} == {f"judge{part}of{FOLDS}" for part in range(FOLDS)}
    best = selected.ranking[0]
    assert best[1] * len(train.split.development) == pytest.approx(round(best[1] * len(train.split.development)))
    blind = [score for number, score in selected.ranking if study.trials[number].architecture["sight"] == 0.0]
    assert selected.trial.architecture["sight"] > 0.0
    assert all(score < best[1] for score in blind)


def test_no_part_of_a_cross_validation_trains_on_what_judges_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is trained on and what judges are disjoint, and together all but the test data."""
    from netwright.training import loop

    trained: list[list[int]] = []
    judges: list[int] = []
    train_network, answers = loop.train_network, selection_module._answers

    def train_on(network: nn.Module, data: Data, indices: Any, *args: Any, **kwargs: Any) -> Any:
        trained.append(list(indices))
        return train_network(network, data, indices, *args, **kwargs)

    def answer(network: Any, data: Data, *args: Any) -> Any:
        judges.append(len(data))
        return answers(network, data, *args)

    monkeypatch.setattr(loop, "train_network", train_on)
    monkeypatch.setattr(selection_module, "_answers", answer)
    study = study_of(Sight)
    select(study, epochs=2, baseline="digits")
    train = study.evaluator
    assert isinstance(train, Train)
    development = set(train.split.development.tolist())
    crossed = [set(rows) for rows in trained if set(rows) < development]
    assert len(crossed) == 2 * FOLDS
    for rows, count in zip(crossed, judges, strict=False):
        assert len(development - rows) == count
    left_out = [tuple(sorted(development - rows)) for rows in crossed[:FOLDS]]
    assert sorted(place for part in left_out for place in part) == sorted(development)


def test_many_or_ordered_examples_are_judged_by_the_selection_data() -> None:
    """What follows in time is never judged by a network that saw later examples."""
    X, y = blobs(160)
    data = Data(X, y, ("left", "right"))
    assert few_to_judge(Train(data, RECIPE, split=split(y, 0)))
    X, y = blobs(FEW * 8)
    many = Data(X, y, ("left", "right"))
    assert len(split(y, 0).selection) < FEW < len(split(y, 0, selection=0.2).selection)
    assert few_to_judge(Train(many, RECIPE, split=split(y, 0)))
    assert not few_to_judge(Train(many, RECIPE, split=split(y, 0, selection=0.2)))
    steps = np.zeros((160, 4), dtype=np.float32)
    ahead = Data(steps, steps[:, :2], goal="forecast")
    assert not few_to_judge(Train(ahead, Recipe.regression(), split=split(np.arange(160.0), 0)))


class Ahead(nn.Module):
    """Says of the two steps to come that they are as the last one, or as none was."""

    def __init__(self, input_shape: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        self.level = nw.choose("level", 0.0, 9.0)
        self.learnt = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x[:, 0, 1:2] + self.level + self.learnt
        return out


def test_few_examples_in_an_order_are_judged_by_what_came_next() -> None:
    """At each origin by a network that was trained on what came before; the geometric mean of the errors counts."""
    steps = np.random.default_rng(0).normal(size=(40, 1, 4)).astype(np.float32)
    data = Data(steps, steps[:, 0, 2:], goal="forecast")
    ends = (24, 28, 32)
    origins = np.zeros((2, 40), dtype=np.int8)
    for row, (here, after) in enumerate(pairwise(ends)):
        origins[row, : here - 1], origins[row, here:after] = 1, 2
    rows = np.arange(40)
    parts = Split(train=rows[:20], validation=rows[20:26], selection=rows[26:32], test=rows[32:], origins=origins)
    train = Train(data, Recipe.regression().replace(epochs=2), split=parts)
    assert few_to_judge(train)
    assert [(22, [24, 27]), (26, [28, 31])] == [
        (int(before.max()), judges[[0, -1]].tolist()) for before, judges in cross_parts(train)
    ]
    space = nw.SearchSpace(Ahead, input_shape=(1, 4), outputs=2)
    study = nw.Study(space, "random", train, minimize="val_mase", executor="in_process").run(max_trials=2)
    selected = select(study, epochs=2, baseline="forecast", n_jobs=1)
    assert (True, 2) == (selected.plan.crossed, selected.plan.judged_seeds)
    assert 0.0 == selected.trial.architecture["level"]
    notes = [note for note in study.noted("trained") if note["part"] == "judge"]
    assert {"judge0of5", "judge1of5"} == {note["key"].split("-")[0] for note in notes}
    ours = [note["score"] for note in notes if selected.trial.architecture.key in note["key"]]
    assert selected.ranking[0][1] == pytest.approx(-np.log(np.multiply(*ours)) / 2)


class Shift(nn.Module):
    """Says that the two steps to come are as the last one, moved, with so many parameters."""

    def __init__(self, level: float, size: int) -> None:
        super().__init__()
        self.level, self.learnt = level, nn.Parameter(torch.zeros(size))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x[:, 0, [1, 1]] + self.level + self.learnt.mean()
        return out


class Shifts(nn.Module):
    """The worst of three is the smallest."""

    def __init__(self, input_shape: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        self.shift = nw.one_of(
            "shift", none=lambda: Shift(0.0, 4), some=lambda: Shift(1.0, 4), much=lambda: Shift(9.0, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.shift(x)
        return out


def test_a_place_is_kept_for_the_smallest_start_where_examples_are_in_an_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """However bad the few examples of the search found it; in no order the best of the starts are taken."""
    steps, rows = np.random.default_rng(0).normal(size=(40, 1, 4)).astype(np.float32), np.arange(40)
    data = Data(steps, steps[:, 0, 2:], goal="forecast")
    parts = Split(train=rows[:20], validation=rows[20:26], selection=rows[26:32], test=rows[32:])
    space = nw.SearchSpace(Shifts, input_shape=(1, 4), outputs=2)
    train = Train(data, Recipe.regression().replace(epochs=1, lr=1e-4), split=parts)
    study = nw.Study(space, "random", train, minimize="val_mase", executor="in_process").run(max_trials=3)
    monkeypatch.setattr(study.strategy, "known_good", lambda: [{"shift": "some"}, {"shift": "much"}])
    run = selection_module._Selection(study, "forecast", None, 2, 1, None, None, None, 0)
    assert ["none", "some", "much"] == [trial.architecture["shift"] for trial in run.candidates]
    for crossed, kept in ((True, "much"), (False, "some")):
        finalists = run._finalists(Plan(2, 2, 1, 2, crossed=crossed))
        assert ["none", kept] == [trial.architecture["shift"] for trial in finalists]


def test_what_follows_one_time_alone_judges_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """With hardly more examples in an order than outputs, the smallest of the known-good starts is taken."""
    steps = np.random.default_rng(0).normal(size=(40, 1, 4)).astype(np.float32)
    data, rows = Data(steps, steps[:, 0, 2:], goal="forecast"), np.arange(40)
    parts = Split(train=rows[:20], validation=rows[20:28], selection=rows[28:32], test=rows[32:])
    space = nw.SearchSpace(Ahead, input_shape=(1, 4), outputs=2)
    train = Train(data, Recipe.regression().replace(epochs=1), split=parts)
    study = nw.Study(space, "random", train, minimize="val_mase", executor="in_process").run(max_trials=2)
    assert study.best is not None
    other = next(trial for trial in study.trials if trial.architecture != study.best.architecture)
    monkeypatch.setattr(study.strategy, "known_good", lambda: [dict(other.architecture)])
    selected = select(study, plan=Plan(2, 1, 1, 1), baseline="forecast")
    assert (other.number, ()) == (selected.trial.number, selected.ranking)
    train.split = Split(train=rows[:20], validation=rows[20:27], selection=rows[27:32], test=rows[32:])
    assert 2 == len(select(study, plan=Plan(2, 1, 1, 1), baseline="forecast").ranking)


def test_a_batch_that_is_not_full_takes_as_long() -> None:
    """An epoch on all data is as many times as long as it has more batches, not rows."""
    trial = SimpleNamespace(seconds=3.0, metrics={"epochs": 2.0})
    for rows, wanted in ((32, 1.5), (33, 3.0), (64, 3.0)):
        split = SimpleNamespace(train=range(8), development=range(rows))
        study: Any = SimpleNamespace(evaluator=SimpleNamespace(split=split, recipe=SimpleNamespace(batch_size=32)))
        assert wanted == selection_module.epoch_seconds(study, [trial])  # type: ignore[list-item]


def test_of_finalists_that_origins_do_not_tell_apart_the_smallest_is_taken() -> None:
    """Those that are behind by more than two standard errors are none of them."""
    best = np.array([0.3, 0.1, 0.4, 0.2])
    worths = {4: best, 5: best - np.array([0.2, -0.1, 0.0, 0.0]), 6: best - np.array([0.1, 0.1, 0.2, 0.1])}
    assert [4, 5] == selection_module._alike(worths, 2.0)
    assert [4, 5] == selection_module._alike(worths, 1.0)
    assert [4] == selection_module._alike(worths, 0.1)


class Tints(Sight):
    """Sees one of ten shares of its input."""

    def __init__(self, input_shape: tuple[int, ...], classes: int) -> None:
        nn.Module.__init__(self)
        self.sight = nw.choose("sight", *(tenth / 10 for tenth in range(1, 11)))
        self.head = nn.Linear(36, classes)


def test_known_good_starts_have_half_of_the_places_for_few_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many examples one."""
    study = study_of(Tints, Seer, trials=10)
    run = selection_module._Selection(study, "digits", None, 4, 1, None, None, None, 0)
    order = [trial.architecture for trial in run.candidates]
    assert len(order) == 10
    monkeypatch.setattr(study.strategy, "known_good", lambda: [dict(each) for each in order[-4:]])
    for crossed, chosen in ((True, [0, 1, 2, 6, 7, 8]), (False, [0, 1, 2, 3, 4, 6])):
        finalists = run._finalists(Plan(6, FOLDS, 1, 4, crossed=crossed))
        assert [order.index(trial.architecture) for trial in finalists] == chosen


def test_of_finalists_that_are_alike_a_known_good_start_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """By cross-validation alone: the others were found with the data that judge them."""
    study = study_of(Tints, Seer, trials=10)
    best = select(study, epochs=12, baseline="digits").trial
    ranking = [study.trials[number] for number, _ in select(study, epochs=12, baseline="digits").ranking]
    for start in (trial for trial in ranking if trial is not best and trial.architecture["sight"] > 0.4):
        again = study_of(Tints, Seer, trials=10)
        monkeypatch.setattr(again.strategy, "known_good", lambda start=start: [dict(start.architecture)])
        assert select(again, epochs=12, baseline="digits").trial.architecture == start.architecture
        monkeypatch.setattr(selection_module, "FEW", 0)
        again = study_of(Tints, Seer, trials=10)
        monkeypatch.setattr(again.strategy, "known_good", lambda start=start: [dict(start.architecture)])
        assert select(again, epochs=12, baseline="digits").trial.architecture == best.architecture
        return
    pytest.fail("none of the others is alike")


def test_a_plan_of_few_examples_gives_way_where_time_is_short() -> None:
    """Cross-validation first, with ever fewer finalists; then the selection data."""
    plans = [
        choose_plan(seconds, 1.0, 10, 1, 20, few=FOLDS) for seconds in (1e6, 8 * 25 + 20, 4 * 25 + 20, 2 * 25 + 19, 25)
    ]
    assert [(plan.finalists, plan.judged_seeds, plan.crossed) for plan in plans] == [
        (8, FOLDS, True), (8, FOLDS, True), (4, FOLDS, True), (4, 2, False), (1, 1, False),
    ]  # fmt: skip
    assert not choose_plan(None, 1.0, 10, 1, 20).crossed
    assert not choose_plan(None, 1.0, 10, 1, 1, few=FOLDS).crossed


class Memory(nn.Module):
    """Learns the training examples by heart: a number for each pixel, of noise alone."""

    def __init__(self, input_shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
        width = nw.choose("width", 128, 256)
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(36, width), nn.ReLU(), nn.Linear(width, classes))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x)
        return out


def noisy_study(noise: float, lr: float = 0.05) -> nw.Study:
    """Two classes that one pixel tells apart, with so many labels turned round."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 1, 6, 6)).astype(np.float32)
    y = (X[:, 0, 0, 0] > 0) ^ (rng.random(900) < noise)
    data = Data(X, y.astype(np.int64), ("left", "right"))
    train = Train(data, RECIPE.replace(lr=lr, batch_size=32), split=split(data.y, 0), epochs=2)
    space = nw.SearchSpace(Memory, input_shape=(1, 6, 6), classes=2)
    study = nw.Study(space, "random", train, maximize="val_accuracy", executor="in_process")
    return study.run(max_trials=2)


def test_what_is_learnt_by_heart_trains_for_a_quarter_of_the_epochs() -> None:
    """The finalists are judged after both; winner and baseline are refitted for as many, also when asked again."""
    study = noisy_study(0.3)
    selected = select(study, epochs=64, baseline="digits")
    judged = {note["key"].rsplit("-", 1)[1] for note in study.noted("trained") if note["part"] == "judge"}
    assert judged == {"32", "8"}
    assert selected.fitted["epochs"] == 16
    assert {note["fitted"]["epochs"] for note in study.noted("trained") if note["part"] == "refit"} == {16}
    count = len(study.noted("trained"))
    assert select(study, epochs=64, baseline="digits").fitted["epochs"] == 16
    assert len(study.noted("trained")) == count


def test_what_is_not_learnt_by_heart_trains_for_all_epochs() -> None:
    """And a plan that was given is kept to."""
    study = noisy_study(0.0, lr=0.0003)
    assert select(study, epochs=32, baseline="digits").fitted["epochs"] == 32
    study = noisy_study(0.3)
    assert select(study, plan=Plan(2, 1, 1, 32), baseline="digits").fitted["epochs"] == 32


def test_a_plan_knows_what_the_shorter_trainings_take() -> None:
    """By hand: two finalists of 32 and 8 epochs, and a refit of 64; of 15 epochs a quarter are too few."""
    assert Plan(2, 1, 1, 64).seconds(1.0, 1) == 2 * 40 + 64
    assert Plan(2, 1, 1, 15).shorter() is None
    assert Plan(2, 1, 1, 16).shorter() == Plan(2, 1, 1, 4)


def test_trainings_share_the_time_by_their_epochs() -> None:
    """A round is as long as its longest training."""
    assert selection_module._ends(100.0, 10.0, [32, 8], 1) == [108.0, 110.0]
    assert selection_module._ends(100.0, 10.0, [32, 8, 8, 8], 2) == [108.0, 108.0, 110.0, 110.0]
    assert selection_module._ends(100.0, None, [3], 1) == [None]


def test_what_a_promoted_trial_took_has_its_first_steps() -> None:
    """The trials of its own architecture that it went on from; a parent that is another one is none of them."""
    one, other = (toy.SPACES["conditional"]().sample(np.random.default_rng(seed)) for seed in (0, 1))
    assert one != other
    chain = [(other, None, 5.0), (one, 0, 1.0), (one, 1, 2.0), (one, 2, 4.0)]
    trials = {
        number: Trial(number, Proposal(architecture, inherits=parent), State.FINISHED, {}, seconds=seconds)
        for number, (architecture, parent, seconds) in enumerate(chain)
    }
    study: Any = SimpleNamespace(history=SimpleNamespace(trials=trials))
    assert [5.0, 1.0, 3.0, 7.0] == [
        selection_module._seconds_with_promotions(study, trial) for trial in trials.values()
    ]
