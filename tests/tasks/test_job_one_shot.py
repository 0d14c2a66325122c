"""A search with one supernet, from data to a verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from netwright import tasks
from netwright.errors import InfeasibleError, InputError, Interrupted, SpaceError
from netwright.progress import Progress
from netwright.stores import open_readonly
from netwright.study.signals import Signals
from netwright.tasks.job import configuration, opened
from netwright.tasks.one_shot import rank


def notes(folder, topic):
    with open_readonly(folder) as reader:
        return [event.body for event in reader.read() if event.kind == "noted" and event.body["topic"] == topic]


def search(folder: Path, strategy: str, **options):
    options = {"space": "digits-cells", "time_limit": "12s", "n_jobs": 2, "out": folder / "run"} | options
    return tasks.search("digits", strategy=strategy, **options)


def test_a_method_that_ranks_goes_the_whole_way(tmp_path):
    """Supernet, examination, its best trained as trials, finalists from scratch, verdict; all of it is journaled."""
    seen: list[Progress] = []
    outcome = search(tmp_path, "gdas", watch=seen.append)
    assert outcome.verdict in ("better", "equal", "worse", "undecided")
    phases = list(dict.fromkeys(progress.phase for progress in seen))
    assert phases[:3] == ["prepare", "supernet", "search"]
    assert phases[-1] == "done"
    (supernet,) = notes(outcome.out, "supernet")
    assert supernet["method"] == "gdas"
    assert supernet["epochs"] == supernet["steps"] // 15 > 0
    (health,) = notes(outcome.out, "health")
    assert len(health["epochs"]) == supernet["epochs"]
    assert 0 <= health["gap"][1] <= 1
    ended = [trial for trial in tasks.show(outcome.out)["trials"] if trial["state"] == "finished"]
    assert ended
    assert all("epochs" in trial["metrics"] for trial in ended)
    assert (outcome.out / "best" / "model.py").exists()


def test_a_method_that_does_not_rank_has_its_supernet_searched(tmp_path):
    """By evolution with shared weights: trials train nothing, limits hold, and resume judges the same again."""
    outcome = search(tmp_path, "spos", constraints={"params": 2_500})
    trials = tasks.show(outcome.out)["trials"]
    assert len(trials) > 0
    assert all("epochs" not in trial["metrics"] for trial in trials)
    assert all(trial["params"] <= 2_500 for trial in trials)
    assert outcome.winner.params <= 2_500
    again = tasks.resume(outcome.out)
    assert again.winner.score == outcome.winner.score
    assert len(notes(outcome.out, "supernet")) == 1


def test_any_strategy_searches_a_supernet(tmp_path):
    """One that proposes one network after another, as it would search with trained ones; resumed, it is the same."""
    outcome = search(tmp_path, "local-search", evaluate="spos", max_trials=3)
    about = configuration(outcome.out)
    assert (about["strategy"], about["searcher"]) == ("spos", "local-search")
    with open_readonly(outcome.out) as reader:
        assert "LocalSearch" in str(next(iter(reader.read())).body["strategy"])
    trials = tasks.show(outcome.out)["trials"]
    assert 1 <= len(trials) <= 3
    assert all("epochs" not in trial["metrics"] for trial in trials)
    again = tasks.resume(outcome.out, max_trials=len(trials) + 1)
    assert again.trials == len(trials) + 1
    assert len(notes(outcome.out, "supernet")) == 1


def test_a_search_that_stops_in_its_supernet_goes_on_from_there(tmp_path):
    """What was trained is not trained again."""

    class Stop(Exception):
        pass

    def stop(progress):
        if progress.phase == "supernet" and progress.message.startswith("epoch 2 "):
            raise Stop

    with pytest.raises(Stop):
        search(tmp_path, "spos", watch=stop)
    epochs = []
    tasks.resume(tmp_path / "run", watch=lambda p: epochs.append(p.message) if p.phase == "supernet" else None)
    assert ["epoch 3"] == [message.partition(" of ")[0] for message in epochs[:1]]
    assert len(notes(tmp_path / "run", "verdict")) == 1


def stopped_early(tmp_path):
    """The parts of a search whose supernet was left after its first epoch."""

    class Stop(Exception):
        pass

    def stop(progress):
        if progress.phase == "supernet":
            raise Stop

    with pytest.raises(Stop):
        search(tmp_path, "random-weights", watch=stop)
    about = configuration(tmp_path / "run")
    _, _, study, supernet = opened(about, tmp_path / "run")
    supernet.end("the test")
    return about, study, supernet


def test_what_is_sampled_is_scored_once_and_proposed_in_that_order(tmp_path):
    """The order is journaled, so that a resume proposes the same whatever the time allowed."""
    outcome = search(tmp_path, "enas(updates=1, aggregate=2, samples=40)")
    (ranking,) = notes(outcome.out, "ranking")
    trials = tasks.show(outcome.out)["trials"]
    assert ranking["architectures"][: len(trials)] == [trial["architecture"] for trial in trials]
    assert len(ranking["architectures"]) == ranking["wanted"] == 30


def test_a_signal_ends_the_scoring_of_what_is_sampled(tmp_path):
    """At once, with nothing journaled; a search that goes on scores again."""
    about, study, supernet = stopped_early(tmp_path)
    signals = Signals()
    signals.count = 1
    with study, pytest.raises(Interrupted, match="Stopped by Ctrl-C while scoring what the supernet may propose"):
        rank(study, supernet, about, signals=signals, late=lambda: False)
    assert [] == study.noted("ranking")


def test_scoring_what_is_sampled_keeps_to_the_time(tmp_path):
    """When it is late thirty are scored, and no more; they are what was drawn first."""
    about, study, supernet = stopped_early(tmp_path)
    supernet.method.samples = 200
    with study:
        rank(study, supernet, about, signals=Signals(), late=lambda: True)
    (ranking,) = study.noted("ranking")
    for samples in range(30, 60):  # of thirty draws two may be the same
        supernet.method.samples = samples
        first = supernet.ranked(30)
        if len(first) == 30:
            break
    assert ranking["architectures"] == [dict(each) for each in first]


@pytest.mark.parametrize(
    ("strategy", "options", "error", "words"),
    [
        ("gdas", {"constraints": {"params": 50}}, InfeasibleError, "params (≤|of at most) 50"),
        ("spos", {"constraints": {"params": 50}}, InfeasibleError, "params (≤|of at most) 50"),
        (
            "gdas",
            {"constraints": {"latency_ms": 1e-6}, "on": "torch", "time_limit": "10m"},
            InfeasibleError,
            "latency_ms",
        ),
        ("darts(order=3)", {}, InputError, "order is 1 or 2, found 3"),
        ("gdass", {}, InputError, "unknown strategy 'gdass'"),
        ("gdas(rate=1)", {}, InputError, "one-shot method 'gdas' has no argument 'rate'"),
        ("ofa", {}, SpaceError, "there is nothing to shrink"),
        ("fairnas", {"space": None}, SpaceError, "strict fairness"),
        ("evolution", {"evaluate": "darts"}, InputError, "darts ranks the networks of its supernet itself"),
        (
            "evolution",
            {"evaluate": "tran"},
            InputError,
            "nothing evaluates by 'tran'. Give one of train, fairnas, ofa, sandwich, spos",
        ),
        ("evolution", {"evaluate": "spos(rate=1)"}, InputError, "has no argument 'rate'"),
        ("gdas", {"evaluate": "spos"}, InputError, "gdas cannot search the supernet of spos"),
        ("hyperband", {"evaluate": "spos"}, InputError, "shared weights know none"),
    ],
)
def test_what_cannot_be_is_refused_before_training(strategy, options, error, words, tmp_path):
    """In one line, and nothing is left behind."""
    seen: list[Progress] = []
    with pytest.raises(error, match=words):
        search(tmp_path, strategy, watch=seen.append, **options)
    assert "supernet" not in {progress.phase for progress in seen}
    assert not (tmp_path / "run").exists()


UNLIKE = """
import netwright as nw
from torch import nn

class Net(nn.Module):
    def __init__(self, input_shape, classes):
        super().__init__()
        self.op = nw.one_of("op", a=lambda: nn.Conv2d(1, 4, 3), b=lambda: nn.Conv2d(1, 5, 3))
        self.head = nn.Linear(4, classes)

    def forward(self, x):
        return self.head(self.op(x).mean((2, 3)))
"""


def test_candidates_of_unlike_shapes_are_refused_in_words(tmp_path):
    """By the decision, two of its options and what they give."""
    file = tmp_path / "unlike.py"
    file.write_text(UNLIKE)
    with pytest.raises(
        SpaceError, match=r"decision 'op' cannot be mixed: 'a' gives \d+×4×6×6, 'b' gives \d+×5×6×6\. All"
    ):
        search(tmp_path, "darts", space=f"{file}:Net")
    assert not (tmp_path / "run").exists()


HEADS = """
import netwright as nw
from torch import nn

class Net(nn.Module):
    def __init__(self, input_shape, classes):
        super().__init__()
        self.op = nw.one_of("op", a=lambda: nn.Conv2d(1, 4, 3), b=lambda: nn.Conv2d(1, 4, 5, padding=1))
        self.head = nw.one_of("head", small=lambda: nn.Linear(4, 1), large=lambda: nn.Linear(4, classes))

    def forward(self, x):
        return self.head(self.op(x).mean((2, 3)))
"""


def test_a_wrong_head_is_refused_in_words(tmp_path):
    """Also by a method that would meet it only when a path goes there."""
    file = tmp_path / "heads.py"
    file.write_text(HEADS)
    with pytest.raises(SpaceError, match="decision 'head' cannot be 'small': the network gives 2×1 for"):
        search(tmp_path, "spos", space=f"{file}:Net")
    assert not (tmp_path / "run").exists()
