"""The ensemble of a search: made, told, shipped as one network, and used."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.tasks.conftest import hurry, save

from netwright import tasks
from netwright.errors import InputError
from netwright.export import load_network, read_manifest
from netwright.tasks import job
from netwright.tasks.prediction import Predictor
from netwright.tasks.shipping import write
from netwright.testing.toy import blobs


@dataclass(frozen=True)
class Made:
    """A search with an ensemble, and its rows."""

    X: np.ndarray
    folder: Path
    outcome: tasks.Outcome


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Noisy rows, and three finalists drawn at random on two seeds each: six candidates, none right alone.

    Of batches as large as these a training has few steps, so that the best is made better by others.
    """
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        from netwright.study import selection

        patch.setattr(selection, "PLANS", ((3, 2, 2),))
        patch.setattr(job, "LEAST_BATCH", 64)
        folder = tmp_path_factory.mktemp("ensemble")
        X, y = blobs(120)
        rng = np.random.default_rng(0)
        X = (X + 2 * rng.normal(size=X.shape)).astype(np.float32)
        source = save(folder / "spots.npz", X=X, y=np.where(rng.random(len(y)) < 0.15, 1 - y, y))
        outcome = tasks.search(source, max_trials=4, strategy="random", n_jobs=1, out=folder / "run", ensemble=5)
    return Made(X, folder / "run", outcome)


def test_the_ensemble_stands_beside_the_single_network(made):
    """A row with its score and its costs, a sentence that compares both, and the same in JSON."""
    value = made.outcome.to_value()["ensemble"]
    members = read_manifest(made.folder / "ensemble")["extra"]["ensemble"]
    assert value["members"] == len(members)
    assert f"ensemble of {len(members)}" in made.outcome.text()
    assert value["verdict"]["result"] in ("better", "equal", "worse", "undecided")
    assert "the network found, alone" in made.outcome.text()


def test_the_package_answers_with_the_mean_of_its_members(made):
    """The written network, against the members' own probabilities averaged by hand."""
    manifest = read_manifest(made.folder / "ensemble")
    inputs = torch.from_numpy(np.load(made.folder / "data" / "X.npy")[:8].astype(np.float32))
    whole = load_network(made.folder / "ensemble")(inputs).softmax(1)
    members = manifest["extra"]["ensemble"]
    space = Predictor.open(made.folder)
    finals = (
        made.folder / "weights" / "finals" if (made.folder / "weights" / "finals").exists() else made.folder / "finals"
    )
    assert space.input_shape == tuple(manifest["extra"]["input_shape"])
    mean = torch.zeros_like(whole)
    from netwright.architecture import Architecture
    from netwright.tasks.spaces import find_again, like
    from netwright.training.weights import load_weights

    about = manifest["extra"]
    built = find_again(about["space"], **like(about)).space
    for member in members:
        architecture = Architecture(member["architecture"])
        network = built.build(architecture)
        (file,) = finals.glob(f"refit-{architecture.key}-{member['seed']}-*.safetensors")
        network.load_state_dict(dict(load_weights(file).state))
        mean += network.eval()(inputs).softmax(1) * member["count"] / sum(each["count"] for each in members)
    torch.testing.assert_close(whole, mean, atol=1e-5, rtol=0)


def test_predictions_are_those_of_the_ensemble(made):
    """What predicts in the folder is the ensemble, not the single network."""
    inputs = np.load(made.folder / "data" / "X.npy")[:8].astype(np.float32)
    ours = load_network(made.folder / "ensemble")(torch.from_numpy(inputs))
    np.testing.assert_allclose(Predictor.open(made.folder)._run(inputs), ours.detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("form", ["onnx", "torch", "source"])
def test_the_ensemble_is_exported_as_one_model(made, tmp_path, form):
    """Each form is checked against it on real rows."""
    written = write(made.folder, form, tmp_path / f"out-{form}")
    assert written.path.exists()


def test_the_single_network_is_picked_by_its_trial(made, tmp_path):
    """The number of the chosen trial means the network alone."""
    from netwright.tasks.picking import take

    assert take(made.folder, made.outcome.best.number) == made.folder / "best"
    assert take(made.folder) == take(made.folder, "knee") == made.folder / "ensemble"


@pytest.mark.usefixtures("quick")
def test_what_is_picked_is_what_is_written(made, tmp_path):
    """Alone or together: the written network has the numbers and the answers of the one that was picked."""
    from netwright.tasks.shipping import write

    inputs = torch.from_numpy(np.load(made.folder / "data" / "X.npy")[:8].astype(np.float32))
    answers = {}
    for pick, package in ((made.outcome.best.number, "best"), ("best", "ensemble")):
        written = write(made.folder, "torch", tmp_path / f"{package}.pt2", pick=pick)
        answers[package] = torch.export.load(written.model).module()(inputs)
        torch.testing.assert_close(answers[package], load_network(made.folder / package)(inputs), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(answers["best"], answers["ensemble"])


@pytest.mark.usefixtures("quick")
def test_where_one_network_is_judged_there_is_no_ensemble(tmp_path):
    """One trial: the search ends with its network, and says why it is alone."""
    X, y = blobs(64)
    outcome = tasks.search(X, y, max_trials=1, n_jobs=1, out=tmp_path / "run", ensemble=3)
    assert outcome.warnings == ("no ensemble: fewer than two networks could be judged in the time",)
    assert outcome.to_value().get("ensemble") is None
    assert (tmp_path / "run" / "best").is_dir()


def test_a_study_without_an_ensemble_has_none(searched):
    """Nothing is made where nothing was asked for."""
    assert "ensemble" not in searched.outcome.to_value()
    assert not (searched.folder / "ensemble").exists()


@pytest.mark.parametrize(("size", "words"), [(1, "the network itself"), (-1, "2 to 50"), (51, "2 to 50")])
def test_sizes_that_are_none(size, words, tmp_path):
    """Refused in a line before anything is searched."""
    X, y = blobs(48)
    with pytest.raises(InputError, match=words):
        tasks.search(X, y, max_trials=1, out=tmp_path / "run", ensemble=size)
    assert not (tmp_path / "run").exists()


def test_what_was_chosen_is_journaled(made):
    """Judging again gives the same members: they are read from the journal, not chosen anew."""
    before = json.loads((made.folder / "ensemble" / "manifest.json").read_bytes())["extra"]["ensemble"]
    outcome = tasks.resume(made.folder)
    after = json.loads((made.folder / "ensemble" / "manifest.json").read_bytes())["extra"]["ensemble"]
    assert after == before
    assert outcome.to_value()["ensemble"]["score"] == made.outcome.to_value()["ensemble"]["score"]
