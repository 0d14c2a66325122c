"""Time series: from people's arrays and files to a network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import netwright as nw
from netwright.errors import DataError
from netwright.tasks import readers, series


def waves(rows: int = 48, length: int = 20, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Slow and fast waves with noise."""
    rng = np.random.default_rng(seed)
    fast = np.arange(rows) % 2
    time = np.arange(length)
    X = np.sin(time * (0.5 + 1.0 * fast[:, None]) + rng.uniform(0, 6, (rows, 1))) + 0.1 * rng.normal(
        size=(rows, length)
    )
    return X, np.where(fast, "fast", "slow")


def test_two_dimensions_are_one_channel() -> None:
    """(N, length) and (N, 1, length) are the same series."""
    X, _ = waves()
    assert (48, 1, 20) == series.take(X).shape == series.take(X[:, None]).shape


def test_lists_of_different_lengths() -> None:
    """They are filled up with NaN to the longest."""
    taken = series.take([np.ones((2, 3)), np.ones((2, 5))])
    assert (2, 2, 5) == taken.shape
    assert [True, True] == np.isnan(taken.values[0, 0, 3:]).tolist()


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((3, 2, 2, 2)), "holds no series"),
        (np.array([[1.0, np.nan, 2.0]]), r"contains NaN.*X\[0, 0, 1\]"),
        (np.array([[1.0, 2.0], [np.nan, np.nan]]), r"X\[1\] is a series without values"),
        ([np.ones((2, 3)), np.ones((1, 5))], "different numbers of channels"),
        ([np.ones(3), np.array(["a", "b"])], r"X\[1\].*expected a number"),
    ],
)
def test_what_is_no_series(X: object, message: str) -> None:
    """Is refused in one line that says where."""
    with pytest.raises(DataError, match=message):
        series.take(X)


def test_channels_are_standardised_without_what_is_missing() -> None:
    """By numbers of the rows that are named alone; after a series' end stands 0."""
    X = series.take(np.array([[[0.0, 2.0, np.nan]], [[4.0, 6.0, 8.0]], [[99.0, 99.0, 99.0]]]))
    constants = series.learn(X, np.array([0, 1]))
    assert [4.0] == constants["mean"]
    inputs = series.apply(constants, X)
    assert np.float32 == inputs.dtype
    np.testing.assert_allclose(inputs[0, 0], [-np.sqrt(2), -np.sqrt(0.5), 0.0], rtol=1e-6)


def test_new_series() -> None:
    """Shorter ones are filled up, longer ones and other channels are refused."""
    constants = series.learn(series.take(waves()[0]))
    assert (1, 1, 20) == series.apply(constants, np.ones((1, 7))).shape
    with pytest.raises(DataError, match="of 21 steps, the network was trained on 20"):
        series.apply(constants, np.ones((1, 21)))
    with pytest.raises(DataError, match="of 3 channels, the network was trained on 1"):
        series.apply(constants, np.ones((1, 3, 20)))


def test_new_series_where_lengths_differ() -> None:
    """Of longer ones the first steps are taken; what is filled up with NaN beyond the longest is as without."""
    short = np.array([1.0, 2.0, np.nan, np.nan])
    constants = series.learn(series.take(np.array([short, [4.0, 3.0, 2.0, 1.0]])))
    longer = np.array([[5.0, 6.0, 7.0, 8.0, 9.0, 9.0]])
    np.testing.assert_array_equal(series.apply(constants, longer), series.apply(constants, longer[:, :4]))
    alike = series.learn(series.take(np.array([[1.0, 2.0], [4.0, 3.0]])))
    padded = np.array([[1.0, 2.0, np.nan], [3.0, np.nan, np.nan]])
    np.testing.assert_array_equal(series.apply(alike, padded), series.apply(alike, padded[:, :2]))


def test_an_archive_with_two_parts(tmp_path: Path) -> None:
    """The test part of an archive is judged on."""
    X, y = waves()
    np.savez(tmp_path / "waves.npz", X_train=X[:32], y_train=y[:32], X_test=X[32:], y_test=y[32:])
    loaded = readers.read(tmp_path / "waves.npz", task="series")
    assert ("series", "classification", 32) == (loaded.kind, loaded.task, len(loaded.raw))
    assert loaded.raw_test is not None
    assert 16 == len(loaded.raw_test)


def test_a_csv_file_has_a_series_a_row(tmp_path: Path) -> None:
    """Beside the target, all columns are steps; one of words is named."""
    (tmp_path / "a.csv").write_text("t0,t1,kind\n" + "1,2,a\n3,4,b\n" * 6)
    assert (12, 1, 2) == readers.read(tmp_path / "a.csv", task="series", target="kind").raw.X.shape
    (tmp_path / "b.csv").write_text("t0,t1,kind\n" + "1,x,a\n3,y,b\n" * 6)
    with pytest.raises(DataError, match=r"the column 't1' of .*b\.csv holds no numbers"):
        readers.read(tmp_path / "b.csv", task="series", target="kind")


def test_the_estimators_without_netwright(quick: None, tmp_path: Path) -> None:
    """A classifier of series of different lengths; what it exports answers the same about a CSV file, by itself."""
    X, y = waves()
    rows = [row[: 20 - place % 3] for place, row in enumerate(X)]
    search = nw.TimeSeriesClassifier(max_trials=1, n_jobs=1).fit(rows, y)
    assert {"fast", "slow"} >= set(search.predict(rows[:5]))
    assert 20 == search.n_features_in_
    folder = search.export(tmp_path / "shipped", to="onnx")
    # Longer than any in training, which were of different lengths.
    lines = [",".join(str(value) for value in [*row, 7.0, 8.0]) for row in X[:5]]
    (tmp_path / "new.csv").write_text("\n".join([",".join(f"t{step}" for step in range(22)), *lines]) + "\n")
    command = [sys.executable, str(folder / "predict.py"), str(tmp_path / "new.csv"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answered = json.loads(done.stdout)
    np.testing.assert_allclose(search.predict_proba(X[:5]), answered["probabilities"], atol=1e-4)


def test_a_number_for_each_series(quick: None) -> None:
    """The regressor predicts in the target's own unit."""
    X, _ = waves()
    search = nw.TimeSeriesRegressor(max_trials=1, n_jobs=1).fit(X, 100 + X.std(1))
    assert (48,) == search.predict(X).shape
    assert 50 < search.predict(X).mean() < 150
