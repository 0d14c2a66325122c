"""Beginning from another study."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.tasks.conftest import Searched

from netwright import tasks
from netwright.errors import InputError, StoreError
from netwright.space import SearchSpace
from netwright.stores import open_readonly
from netwright.strategies import Auto
from netwright.study.history import History
from netwright.tasks.spaces import find_space
from netwright.tasks.transfer import _read_weights, ancestors, begin, keep, read_ranking
from netwright.testing.toy import blobs
from netwright.training import load_weights
from netwright.zoo.compact import CompactTables


def space_of(X: np.ndarray) -> SearchSpace:
    """The usual space of such images."""
    return find_space(None, kind="images", input_shape=X.shape[1:], outputs=2).space


def trials_of(folder: Path) -> list[dict]:
    return [trial.to_value() for trial in history_of(folder).all_trials()]


def history_of(folder: Path) -> History:
    with open_readonly(folder) as reader:
        return History.of(list(reader.read()))


def weights_of_the_best(folder: Path) -> Path:
    """The file of the weights of the trial with the best score."""
    history = history_of(folder)
    best = max(history.ended(), key=lambda trial: (trial.metrics.get("val_accuracy", -1), -trial.number))
    return folder / "weights" / history.weights[history.source.get(best.number, best.number)]["file"]


def images(searched: Searched) -> np.ndarray:
    return np.load(searched.folder / "data" / "X.npy")


def test_the_ranking_of_another_study(searched):
    """The chosen architecture first, then the best; all its scored trials, larger being better."""
    ranking = read_ranking(searched.folder, kind="images", space=space_of(images(searched)))
    scores = [trial["metrics"]["val_accuracy"] for trial in trials_of(searched.folder) if trial["metrics"]]
    assert ranking["starts"][0] == dict(searched.outcome.best.architecture)
    assert sorted(score for _, score in ranking["known"]) == sorted(scores)
    assert 1 <= len(ranking["starts"]) <= 3


def test_answers_that_a_space_does_not_have_are_left_out():
    """Of a decision with other options, and of one that is not there."""
    space = SearchSpace(CompactTables, input_shape=(4,), outputs=2)
    answers = dict(space.sample(np.random.default_rng(0)))
    name = next(iter(answers))
    assert space.answers_of({**answers, name: "no such value", "strange": 1}) == {
        key: value for key, value in answers.items() if key != name
    }


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("strategy", ["auto", "evolution", "gp", "bananas"])
def test_the_best_of_another_study_come_first(searched, tmp_path, strategy):
    """After the space's own known-good starts, which auto has; whatever searches then."""
    X, y = blobs(64, seed=3) if "seed" in blobs.__code__.co_varnames else blobs(64)
    tasks.search(X, y, strategy=strategy, max_trials=5, n_jobs=1, out=tmp_path / "run", start_from=searched.folder)
    proposed = [trial["architecture"] for trial in trials_of(tmp_path / "run")]
    best = dict(searched.outcome.best.architecture)
    assert best in proposed if strategy == "auto" else proposed[0] == best


@pytest.mark.usefixtures("quick")
def test_it_goes_on_without_the_other_folder(searched, tmp_path):
    """What is begun from stands in the study: the other one may be gone when it is resumed."""
    other = shutil.copytree(searched.folder, tmp_path / "other")
    X, y = blobs(64)
    tasks.search(X, y, max_trials=3, n_jobs=1, out=tmp_path / "run", start_from=other)
    shutil.rmtree(other)
    # Arrays given as a space of the zoo are found again by its name.
    assert tasks.resume(tmp_path / "run", max_trials=4).trials == 4


@pytest.mark.parametrize(
    ("strategy", "words"), [("drnas", "at once"), ("hyperband", "different budgets"), ("asha", "different budgets")]
)
def test_strategies_that_take_no_starts(searched, tmp_path, strategy, words):
    """Refused by name before anything is searched."""
    X, y = blobs(48)
    with pytest.raises(InputError, match=words):
        tasks.search(X, y, strategy=strategy, max_trials=1, out=tmp_path / "run", start_from=searched.folder)


def test_a_folder_that_is_no_study(tmp_path):
    """Told in a line."""
    X, y = blobs(48)
    with pytest.raises(InputError, match="is no study"):
        tasks.search(X, y, max_trials=1, out=tmp_path / "run", start_from=tmp_path)


def test_another_kind_of_data(searched, tmp_path):
    """A ranking of networks for images says nothing about tables."""
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="is about images, the data are tables"):
        tasks.search(rng.normal(size=(60, 4)), rng.integers(0, 2, 60), task="tables", max_trials=1,
                     out=tmp_path / "run", start_from=searched.folder)  # fmt: skip


def test_no_decision_in_common(searched, tmp_path):
    """Both sides are named."""
    X, y = blobs(48)
    with pytest.raises(InputError, match=r"no decision in common with DigitsCells: it decides .*, here are edge_01"):
        tasks.search(X, y, space="digits-cells", max_trials=1, out=tmp_path / "run", start_from=searched.folder)


@pytest.mark.usefixtures("quick")
def test_trials_begin_from_weights_of_the_other_study(searched, tmp_path):
    """Each without a parent here says whose; the copies are the other's files; finalists and resumes want no more."""
    X, y = blobs(64)
    other = shutil.copytree(searched.folder, tmp_path / "other")
    tasks.search(X, y, max_trials=3, n_jobs=1, out=tmp_path / "run", start_from=other)
    theirs, mine = history_of(searched.folder), history_of(tmp_path / "run")
    for claim in mine.claims:
        number = claim.begins["trial"]
        assert claim.begins == {"study": str(other), "trial": number, "sha256": theirs.weights[number]["sha256"]}
        copy = tmp_path / "run" / "ancestors" / f"{number}.safetensors"
        assert copy.read_bytes() == (other / "weights" / theirs.weights[number]["file"]).read_bytes()
        assert mine.trials[claim.number].metrics["inherited_tensors"] > 0
    shutil.rmtree(other)
    tasks.resume(tmp_path / "run", max_trials=4)
    assert history_of(tmp_path / "run").claims[3].begins is not None


@pytest.mark.usefixtures("quick")
def test_without_weights(searched, tmp_path):
    """Architectures and ranking alone, when asked, whatever has become of the weights."""
    X, y = blobs(64)
    other = shutil.copytree(searched.folder, tmp_path / "other")
    shutil.rmtree(other / "weights")
    tasks.search(X, y, max_trials=1, n_jobs=1, out=tmp_path / "run", start_from=other, start_weights=False)
    assert [claim.begins for claim in history_of(tmp_path / "run").claims] == [None]


@pytest.mark.parametrize("harm", ["damaged", "cut off", "missing"])
def test_weights_that_are_not_sound_are_refused_before_anything_is_tried(searched, tmp_path, harm):
    """In one line that names the trial, and no folder is left behind."""
    X, y = blobs(48)
    other = shutil.copytree(searched.folder, tmp_path / "other")
    file = weights_of_the_best(other)
    content = file.read_bytes()
    if harm == "missing":
        file.unlink()
    else:
        file.write_bytes(content[:-9] + (b"otherwise" if harm == "damaged" else b""))
    with pytest.raises(StoreError, match=r"the weights of trial \d+ cannot be begun from: .*\.safetensors") as caught:
        tasks.search(X, y, max_trials=1, out=tmp_path / "run", start_from=other)
    assert "--fresh-weights" in caught.value.hint
    assert "\n" not in caught.value.message
    assert not (tmp_path / "run").exists()


def test_where_no_trial_kept_weights_the_winner_s_are_taken(searched, tmp_path):
    """Those of its first refit, as the journal names them."""
    history = history_of(searched.folder)
    history.weights.clear()
    chosen = searched.outcome.best
    ((trial, loaded),) = _read_weights(searched.folder, history, [chosen], [chosen])
    refit = next(note for note in history.noted("trained") if note["part"] == "refit")
    assert (trial.architecture, loaded.sha256) == (chosen.architecture, refit["sha256"])
    (only,) = ancestors(keep({"folder": "old", "weights": [(trial, loaded)]}, tmp_path), tmp_path)
    assert (only.trial, only.architecture, only.sha256) == (chosen.number, chosen.architecture, refit["sha256"])
    assert set(load_weights(only.weights, only.sha256)) == set(loaded)
    assert _read_weights(searched.folder, history, [chosen], []) == []


def test_the_strategy_that_was_handed_in_stays_as_it_is() -> None:
    """So that a second fit begins as the first did."""
    strategy = Auto(starts=({"op": "a"},))
    ranking = {"known": [({"op": "b"}, 0.5)], "starts": [{"op": "b"}]}
    for _ in range(2):
        assert begin(strategy, ranking).starts == ({"op": "a"}, {"op": "b"})
    assert strategy.starts == ({"op": "a"},)
