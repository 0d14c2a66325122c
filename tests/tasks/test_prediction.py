"""A finished network answers without the script or the file that it was searched with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from tests.tasks.conftest import hurry, save

from netwright import tasks
from netwright.errors import DataError, InputError, NetwrightError
from netwright.tasks import forecast
from netwright.tasks.prediction import Predictor
from netwright.tasks.preprocessing import apply
from netwright.tasks.readers import from_arrays
from netwright.tasks.shipping import export
from netwright.testing.toy import Flat, blobs

OWN_SPACE = """
import netwright as nw
from torch import nn

class Net(nn.Module):
    def __init__(self, input_shape, classes):
        super().__init__()
        width = nw.choose("width", 2, 3, 4)
        self.stem = nn.Conv2d(input_shape[0], width, 3, padding=1)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        return self.head(self.stem(x).relu().mean((2, 3)))
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``mine.py`` and the search ``run`` that used it."""
    hurry(monkeypatch)
    (tmp_path / "mine.py").write_text(OWN_SPACE)
    tasks.search(*blobs(48), space=f"{tmp_path / 'mine.py'}:Net", max_trials=2, n_jobs=1, out=tmp_path / "run")
    return tmp_path


@pytest.mark.parametrize("change", [Path.unlink, lambda file: file.write_text("raise ValueError")])
def test_without_the_file_of_the_space(own: Path, change) -> None:
    """Gone or changed: the network's own source gives the answers of before, and leaves no bytecode behind."""
    X, _ = blobs(20, seed=1)
    before = Predictor.open(own / "run").outputs(X)
    files = sorted(path.name for path in (own / "run" / "best").iterdir())
    change(own / "mine.py")
    np.testing.assert_allclose(Predictor.open(own / "run").outputs(X), before, atol=1e-5)
    assert len(tasks.predict(own / "run", save(own / "new.npz", X=X))["predictions"]) == 20
    assert files == sorted(path.name for path in (own / "run" / "best").iterdir())


def test_a_source_that_is_not_as_it_was_written(own: Path) -> None:
    """It is not run."""
    (own / "mine.py").unlink()
    model = own / "run" / "best" / "model.py"
    model.write_text(model.read_text() + "raise SystemExit('it was run')\n")
    with pytest.raises(InputError, match=r"model\.py is not as it was written"):
        Predictor.open(own / "run")


@pytest.mark.parametrize("change", ['_d = nw.choose("more", 1, 2)', "classes += 1"])
def test_a_space_that_is_another_by_now(own: Path, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    """The network's own source answers, in predictions and in what is exported, with the script that trains it."""
    from netwright.tasks import spaces

    X, _ = blobs(20, seed=1)
    before = Predictor.open(own / "run").outputs(X)
    (own / "mine.py").write_text(OWN_SPACE.replace("        width =", f"        {change}\n        width ="))
    text = f"{own / 'mine.py'}:Net"
    monkeypatch.setattr(spaces, "find_again", lambda origin, **given: spaces.find_space(text, **given))
    np.testing.assert_allclose(Predictor.open(own / "run").outputs(X), before, atol=1e-5)
    assert (export(own / "run", "source", own / "out") / "train.py").is_file()
    with pytest.raises(NetwrightError):
        Predictor.open(own / "run", space=text)


KINDS: dict[str, Any] = {
    "table": lambda: from_arrays(np.arange(60.0).reshape(20, 3) % 7, [0, 1] * 10),
    "images": lambda: from_arrays(np.arange(320.0).reshape(20, 4, 4) % 7, [0, 1] * 10),
    "text": lambda: from_arrays(["a b", "b c"] * 10, [0, 1] * 10, task="text-classification"),
    "series": lambda: from_arrays(np.arange(180.0).reshape(20, 9) % 7, [0, 1] * 10, task="series-classification"),
    "audio": lambda: from_arrays(np.random.default_rng(0).normal(size=(20, 900)), [0, 1] * 10, task="audio"),
    "several": lambda: from_arrays({"a": np.arange(60.0).reshape(20, 3) % 7}, [0, 1] * 10, task="several"),
    "forecast": lambda: from_arrays(forecast.windows(np.arange(200.0) % 7, horizon=3), None, task="forecast"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrong", [None, 3, True, object(), len, b"ab", np.array(3.0), {1, 2}, "", {"q": 1}])
def test_what_holds_no_rows(kind: str, wrong: Any) -> None:
    """It is told in a sentence what was found, for every kind of data."""
    with pytest.raises(DataError, match=r"^(X (is|of shape|has) |there is nothing to predict: X has no rows)"):
        apply(KINDS[kind]().preprocessing, wrong)


def test_what_gives_an_array_is_rows() -> None:
    """It need not be countable itself, as scikit-learn's checks have it."""

    class Lazy:
        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            return np.ones((2, 3), dtype)

    loaded = KINDS["table"]()
    assert_array_equal(apply(loaded.preprocessing, Lazy()), apply(loaded.preprocessing, np.ones((2, 3))))


@pytest.mark.parametrize("kind", KINDS)
def test_no_rows_at_all(kind: str) -> None:
    """Neither is there anything to predict, nor is it an error of numpy."""
    loaded = KINDS[kind]()
    for none in ([], np.zeros((0, 3)), pd.DataFrame({"a": []}), iter([])):
        with pytest.raises(DataError, match="there is nothing to predict: X has no rows"):
            apply(loaded.preprocessing, none)
    if kind == "several":
        assert (0, 3) == apply(loaded.preprocessing, {"a": np.zeros((0, 3))}).shape


def test_pictures_that_are_words() -> None:
    """The first word is named."""
    with pytest.raises(DataError, match=r"X\[0, 0, 0\] is 'x', expected a number"):
        apply(KINDS["images"]().preprocessing, np.full((1, 4, 4), "x"))


@pytest.mark.usefixtures("quick")
def test_a_space_that_was_an_object(tmp_path: Path) -> None:
    """Only its own script has it; the network answers all the same."""
    X, y = blobs(48)
    tasks.search(X, y, space=Flat, max_trials=1, n_jobs=1, out=tmp_path / "run")
    ours = Predictor.open(tmp_path / "run", space=Flat).outputs(X)
    np.testing.assert_allclose(Predictor.open(tmp_path / "run").outputs(X), ours, atol=1e-5)
