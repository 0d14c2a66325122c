"""Several inputs and several targets at once."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import netwright as nw
from netwright.errors import DataError, InputError
from netwright.export import standalone
from netwright.tasks import job, several, targets
from netwright.tasks.labels import code, read_labels
from netwright.tasks.readers import from_arrays

RNG = np.random.default_rng(0)


def rows(count: int = 96) -> tuple[dict[str, Any], dict[str, Any]]:
    """A picture that tells the class, and a table that tells the number."""
    kind = RNG.integers(0, 2, count)
    picture = RNG.normal(size=(count, 6, 6)) + 3 * kind[:, None, None]
    about = RNG.normal(size=(count, 3))
    return (
        {"picture": picture, "about": about},
        {"kind": np.where(kind > 0, "light", "dark"), "price": about @ [1.0, 2.0, 0.5]},
    )


def test_inputs_lie_side_by_side() -> None:
    """Each prepared by its own kind, and what the network has to know of them."""
    X, _ = rows()
    taken = several.take(X)
    constants = several.learn(taken, np.arange(50))
    inputs = several.apply(constants, X)
    assert (96, 36 + 3) == inputs.shape
    assert ["images", "tables"] == [part["kind"] for part in several.facts(constants)["parts"]]
    assert [[1, 6, 6], [3]] == [part["shape"] for part in several.facts(constants)["parts"]]
    assert 0 == pytest.approx(inputs[:50].mean(0)[-3:], abs=1e-5)


def test_targets_of_several_kinds() -> None:
    """Codes and standardised numbers in columns, and back again."""
    _, y = rows()
    labels = read_labels(y, rows=96, goal=None)
    assert "several(2,1)" == labels.task
    constants = targets.learn(labels)
    columns = targets.encode(constants, labels)
    outputs = np.column_stack([columns[:, 0] == 0, columns[:, 0] == 1, columns[:, 1]]).astype(np.float32)
    told = targets.decode(constants, outputs)
    assert y["kind"].tolist() == told["kind"].tolist()
    assert y["price"] == pytest.approx(told["price"], abs=1e-5)
    assert (96, 2) == targets.probabilities(constants, outputs)["kind"].shape
    assert labels.y.tolist() == code(y, labels, rows=96).tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.update(about=X["about"][:5]), "different numbers of rows: picture 96, about 5"),
        (lambda X: X.update({"two words": X["about"]}), "an input is named by a word"),
        (lambda X: X["about"].__setitem__((0, 0), np.nan), "contains NaN"),
        (lambda X: X.update(title=["a b", None] * 48), r"X\['title'\] contains NaN: 48 of 96 texts .* first in row 2"),
        (lambda X: X.update(title=[None, "a b"] * 48), r"X\['title'\] contains NaN: 48 of 96 texts .* first in row 1"),
        (lambda X: X.update(title=["a b"] * 95 + [7]), r"X\['title'\] holds 7 in row 96, expected a text"),
        (lambda X: X.update(title=3), r"X\['title'\] is a int, expected rows"),
        (lambda X: X.update(title=dict.fromkeys(range(96))), r"X\['title'\] is a dict, expected rows"),
        (
            lambda X: X.update(beat=("serie", np.zeros((96, 4)))),
            r"X\['beat'\] has the unknown kind 'serie'. Did you mean",
        ),
        (lambda X: X.clear(), "X is a mapping without any inputs"),
        (lambda X: X.update(voice=("audio", np.zeros((96, 50)), "8k")), "samples a second from 1,000 on, found '8k'"),
    ],
)
def test_bad_inputs(change: Any, message: str) -> None:
    """Each is told in a line."""
    X, y = rows()
    change(X)
    with pytest.raises((DataError, InputError), match=message):
        from_arrays(X, y, task="several")


def test_sounds_have_a_rate() -> None:
    """It is said beside them, else 16,000; another one later is refused."""
    clips = RNG.normal(size=(20, 400))
    assert 8000 == several.take({"voice": ("audio", clips, 8000)}).parts["voice"].rate
    assert 16_000 == several.take({"voice": ("audio", clips)}).parts["voice"].rate
    constants = several.learn(several.take({"voice": ("audio", clips, 8000)}))
    ours = several.apply(constants, {"voice": ("audio", clips, 8000)})
    np.testing.assert_array_equal(ours, several.apply(constants, {"voice": ("audio", clips)}))
    with pytest.raises(DataError, match=r"X\['voice'\] has 16,000 samples a second, the network was trained on 8,000"):
        several.apply(constants, {"voice": ("audio", clips, 16_000)})


@pytest.fixture
def exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The exported script with the constants of a picture, a table with categories, and texts; and these."""
    data = {
        "picture": RNG.normal(size=(12, 4, 4)),
        "about": pd.DataFrame({"city": ["Ulm", "Bonn", None] * 4, "size": RNG.normal(size=12)}),
        "title": [f"row {'good' if row % 2 else 'bad'} {row}" for row in range(12)],
    }
    loaded = from_arrays(data, [0, 1] * 6, task="several")
    path = Path(standalone.__path__[0]) / "predict.py"
    spec = importlib.util.spec_from_file_location("exported_predict", path)
    assert spec is not None
    assert spec.loader is not None
    predict = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(predict)
    monkeypatch.setattr(predict, "about", lambda: {"preprocessing": loaded.preprocessing})
    return predict, data, loaded.data.X


def test_an_exported_folder_takes_a_file_for_each_input(exported: Any, tmp_path: Path) -> None:
    """A table with categories is none of the arrays of an .npz; frames are taken in Python."""
    predict, data, wanted = exported
    np.save(tmp_path / "pictures.npy", data["picture"])
    data["about"].to_csv(tmp_path / "a=b.csv", index=False)
    pd.DataFrame({"t": data["title"]}).to_csv(tmp_path / "titles.csv", index=False)
    files = {"title": "titles.csv", "picture": "pictures.npy", "about": "a=b.csv"}
    found = predict.prepare(predict.read([f"{name}={tmp_path / file}" for name, file in files.items()]))
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    np.testing.assert_allclose(predict.prepare(data), wanted, atol=1e-6)
    with pytest.raises(predict.Refused, match=r"several inputs: give picture=FILE about=FILE title=FILE"):
        predict.read([f"about={tmp_path / 'a=b.csv'}"])
    with pytest.raises(predict.Refused, match=r"no \.npz file with the arrays picture, about, title"):
        predict.read([str(tmp_path / "a=b.csv")])


def test_an_input_that_is_missing_later() -> None:
    """It is named beside those that are known."""
    X, _ = rows()
    constants = several.learn(several.take(X))
    with pytest.raises(DataError, match="X has inputs picture, the network was trained on inputs picture, about"):
        several.apply(constants, {"picture": X["picture"]})


@pytest.fixture
def longer(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``quick``, with as many epochs as so few rows need."""
    monkeypatch.setattr(job, "_schedule", lambda *arguments: job.Schedule(epochs=30, trial_epochs=5))


@pytest.mark.usefixtures("longer")
def test_a_class_and_a_number_from_a_picture_and_a_table(tmp_path: Path) -> None:
    """The whole way: search, predict, probabilities, score, export."""
    X, y = rows(160)
    search = nw.MultiModal(max_trials=3, n_jobs=1, out=tmp_path / "study").fit(X, y)
    told = search.predict(X)
    assert {"kind", "price"} == told.keys()
    assert (160, 2) == search.predict_proba(X)["kind"].shape
    right, r2 = np.mean(told["kind"] == y["kind"]), np.corrcoef(told["price"], y["price"])[0, 1] ** 2
    assert (right > 0.8, r2 > 0.3) == (True, True)
    assert 0.5 < search.score(X, y) <= 1
    folder = search.export(tmp_path / "net", to="torch")
    np.savez(tmp_path / "new.npz", **{name: value[:5] for name, value in X.items()})
    done = subprocess.run(
        [sys.executable, "-I", folder / "predict.py", tmp_path / "new.npz", "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert told["kind"][:5].tolist() == found["predictions"]["kind"]
    assert told["price"][:5] == pytest.approx(found["predictions"]["price"], abs=1e-4)


@pytest.mark.usefixtures("longer")
def test_one_target_is_as_ever(tmp_path: Path) -> None:
    """Several inputs may tell a single class."""
    X, y = rows(120)
    search = nw.MultiModal(max_trials=2, n_jobs=1, out=tmp_path / "study").fit(X, y["kind"])
    assert search.score(X, y["kind"]) > 0.8
