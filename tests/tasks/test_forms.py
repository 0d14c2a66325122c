"""The network of a search in other forms: on which rows it is checked, calibrated and judged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.tasks.conftest import Searched, save

from netwright import tasks
from netwright.errors import InputError
from netwright.export import load_network, read_manifest
from netwright.tasks.preprocessing import predictions
from netwright.tasks.shipping import _examples, _training, write
from netwright.training.loop import predict


def test_rows_are_of_their_parts(searched: Searched) -> None:
    """Calibrated on training rows, compared and judged on held-out ones, chosen by the rows between."""
    found = _examples(searched.folder, searched.folder / "best")
    X = np.load(searched.folder / "data" / "X.npy")
    with np.load(searched.folder / "data" / "split.npz") as parts:
        rows = {name: {row.tobytes() for row in X[parts[name]]} for name in parts.files}
    assert found is not None
    assert found.calibration is not None
    assert found.selection is not None
    assert found.test is not None
    assert {row.tobytes() for row in found.calibration} == rows["train"]
    assert {row.tobytes() for row in found.selection.X} == rows["selection"]
    assert {row.tobytes() for row in found.test.X} == rows["test"] >= {row.tobytes() for row in found.inputs}


def test_int8_of_a_search(searched: Searched, tmp_path: Path) -> None:
    """Accuracy, size and latency are told, stand in the card and the manifest, and are those that the search found."""
    written = write(searched.folder, "int8", tmp_path / "out")
    figures = json.loads(json.dumps(written.to_value()))["int8"]
    card = (tmp_path / "out" / "card.md").read_text()
    for name in ("accuracy", "size", "latency, batch 1", "latency, batch 32"):
        assert f"| {name} | {written.lines[name]} |" in card
        assert written.lines[name] in written.text()
    assert searched.outcome.winner.score == pytest.approx(figures["float32"])
    assert written.bytes == figures["bytes_int8"] == (tmp_path / "out" / "model.onnx").stat().st_size
    assert figures == {name: read_manifest(tmp_path / "out")["check"][name] for name in figures}


def test_without_its_data_int8_is_refused(searched: Searched, tmp_path: Path) -> None:
    """The others are checked on numbers that are drawn."""
    shutil.copytree(searched.folder, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "data")
    assert write(tmp_path / "run", "onnx", tmp_path / "onnx").difference < 1e-4
    with pytest.raises(InputError, match="needs data of the search"):
        write(tmp_path / "run", "int8", tmp_path / "int8")


def test_the_recipe_is_that_of_the_search(searched: Searched, tmp_path: Path) -> None:
    """With the epochs of the final training; train.py stands beside the source and nowhere else."""
    training = _training(searched.folder / "best")
    assert training is not None
    kept = read_manifest(searched.folder / "best")["extra"]["recipe"]
    assert {name: value for name, value in kept.items() if name not in ("drop_path", "auxiliary")} == training.recipe
    assert f"| Epochs | {kept['epochs']} for the network" in (searched.folder / "best" / "card.md").read_text()
    write(searched.folder, "source", tmp_path / "source")
    write(searched.folder, "torch", tmp_path / "torch")
    assert (tmp_path / "source" / "train.py").is_file()
    assert not (tmp_path / "torch" / "train.py").exists()


@pytest.mark.usefixtures("quick")
def test_numbers_are_judged_in_the_unit_of_the_network(tmp_path: Path) -> None:
    """The targets of the rows, as a prediction would give them, are those of the data."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    y = 500 + 30 * X[:, 0] + rng.normal(size=80)
    run = tasks.search(save(tmp_path / "d.npz", X=X, y=y), max_trials=2, n_jobs=1, out=tmp_path / "run").out
    found = _examples(run, run / "best")
    assert found is not None
    assert found.test is not None
    preprocessing = read_manifest(run / "best")["extra"]["preprocessing"]
    with np.load(run / "data" / "split.npz") as parts:
        wanted = y[parts["test"]]
    np.testing.assert_allclose(predictions(preprocessing, found.test.y), wanted, rtol=1e-5)
    outputs = predict(load_network(run / "best"), found.test.X)
    errors = (predictions(preprocessing, outputs) - wanted) ** 2
    assert found.score(outputs, found.test) == pytest.approx(1 - errors.mean() / wanted.var(), abs=1e-4)
