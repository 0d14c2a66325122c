"""A search that is stopped hands over the best network that it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netwright as nw
from netwright.errors import Interrupted, NetwrightError, ResourceError
from netwright.export import read_manifest
from netwright.study import selection
from netwright.tasks import job, predict, resume
from netwright.testing.toy import plane
from netwright.training import loop


def table() -> tuple[np.ndarray, np.ndarray]:
    """Two classes."""
    X, y = plane(120)
    return X, np.where(y > 0, "warm", "cold")


pytestmark = pytest.mark.usefixtures("quick")


def stopped(*arguments: object, **options: object) -> None:
    raise Interrupted("Stopped by SIGINT while retraining: 0 of 3 trainings kept")


@pytest.mark.parametrize("regression", [False, True])
def test_a_fit_that_is_stopped_leaves_a_fitted_estimator(regression, monkeypatch, tmp_path: Path) -> None:
    """It predicts, and says how good it is; what it hands over has no baseline beside it."""
    X, y = plane(120) if regression else table()
    monkeypatch.setattr(selection, "select", stopped)
    estimator = (nw.TabularRegressor if regression else nw.TabularClassifier)(
        max_trials=3, n_jobs=1, out=tmp_path / "study"
    )
    with pytest.warns(UserWarning, match="Stopped by SIGINT.*the best network so far is kept"):
        estimator.fit(X, y)
    assert (120,) == estimator.predict(X).shape
    assert estimator.study_.baseline is None
    assert "Stopped early: the network of trial" in estimator.study_.text_of_verdict
    own = estimator.study_.winner.score
    assert abs(estimator.score(X, y) - own) < 0.5


def test_it_can_be_gone_on_with(monkeypatch, tmp_path: Path) -> None:
    """A resume retrains and judges, and replaces what was handed over."""
    X, y = table()
    with monkeypatch.context() as patch:
        patch.setattr(selection, "select", stopped)
        with pytest.warns(UserWarning, match="so far"):
            nw.TabularClassifier(max_trials=3, n_jobs=1, out=tmp_path / "study").fit(X, y)
    outcome = resume(tmp_path / "study")
    assert outcome.baseline is not None
    np.save(tmp_path / "X.npy", X)
    assert 120 == len(predict(tmp_path / "study", tmp_path / "X.npy")["predictions"])


@pytest.mark.parametrize("constraint", [None, 400])
def test_there_is_an_answer_before_the_first_trial(constraint, monkeypatch, tmp_path: Path) -> None:
    """A small network, trained for a moment, that keeps the limits."""
    monkeypatch.setattr(job.Study, "run", stopped)
    search = nw.TabularClassifier(
        max_trials=2, n_jobs=1, out=tmp_path / "study", space="compact-tables",
        constraints={"params": constraint} if constraint else None,
    )  # fmt: skip
    with pytest.warns(UserWarning, match="Stopped by SIGINT.*so far"):
        search.fit(*table())
    assert (120,) == search.predict(table()[0]).shape
    assert (search.best_.metrics["params"] <= 400) == (constraint is not None)
    assert "Stopped early: the smallest of some networks, trained for a moment" in search.study_.text_of_verdict


def test_where_no_worker_can_be_had_there_is_an_answer(monkeypatch, tmp_path: Path) -> None:
    """The reason is told, and the network so far is made without workers."""

    def deserted(*arguments, **options):
        raise ResourceError("No worker can be had: the process that makes them ended 4 times")

    monkeypatch.setattr(job.Study, "run", deserted)
    search = nw.TabularClassifier(max_trials=2, n_jobs=1, out=tmp_path / "study", space="compact-tables")
    with pytest.warns(UserWarning, match="No worker can be had.*so far"):
        search.fit(*table())
    assert (120,) == search.predict(table()[0]).shape


def test_its_numbers_are_in_the_unit_that_it_was_trained_in(monkeypatch, tmp_path: Path) -> None:
    """Of few rows: their mean and deviation, and not those of all rows, turn its outputs into numbers."""
    seen = []

    def watched(*arguments: Any, **options: Any) -> loop.Fitted:
        seen.append(train_network(*arguments, **options))
        return seen[-1]

    train_network = loop.train_network
    monkeypatch.setattr(loop, "train_network", watched)
    monkeypatch.setattr(selection, "QUICK_ROWS", 10)
    monkeypatch.setattr(job.Study, "run", stopped)
    with pytest.warns(UserWarning, match="so far"):
        nw.TabularRegressor(max_trials=2, n_jobs=1, out=tmp_path / "study").fit(*plane(120))
    ours = job.configuration(tmp_path / "study")["preprocessing"]["target"]
    theirs = read_manifest(tmp_path / "study" / "best")["extra"]["preprocessing"]["target"]
    (fitted,) = seen
    assert ours["mean"] + ours["std"] * fitted.center[0] == pytest.approx(theirs["mean"])
    assert ours["std"] * fitted.scale[0] == pytest.approx(theirs["std"])


def test_what_cannot_be_trained_at_all_is_raised(monkeypatch, tmp_path: Path) -> None:
    """The search's own error, with the reason behind it."""

    def failing(*arguments: object, **options: object) -> None:
        raise NetwrightError("every trial failed")

    monkeypatch.setattr(job.Study, "run", failing)
    monkeypatch.setattr(selection, "_quick", lambda *arguments: 1 / 0)
    with pytest.raises(NetwrightError, match="every trial failed") as caught:
        nw.TabularClassifier(max_trials=2, n_jobs=1, out=tmp_path / "study").fit(*table())
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
