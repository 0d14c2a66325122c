"""Arguments that no search can use are refused before anything is written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netwright import tasks
from netwright.errors import InputError
from netwright.tasks.job import _check_metrics, _jobs
from netwright.testing.toy import blobs


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("1e4", "is '1e4', not a finite number"),
        (None, "is None, not a finite number"),
        ([1], r"is \[1\], not a finite number"),
        (True, "is True, not a finite number"),
        (float("nan"), "is nan, not a finite number"),
        (0, "is 0, every network costs something"),
        (-5.0, r"is -5\.0, every network costs something"),
    ],
)
def test_constraints_are_numbers(tmp_path: Path, value: Any, message: str) -> None:
    """A bound is a finite number, and that of a cost is above zero."""
    with pytest.raises(InputError, match=f"the constraint on 'params' {message}"):
        tasks.search(*blobs(32), constraints={"params": value}, out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_numbers_of_numpy_and_bounds_of_losses() -> None:
    """NumPy's numbers are numbers; what is no cost may be bounded at zero or below."""
    _check_metrics({"params": np.int64(5), "macs": np.float32(1e4), "val_r2": -1.0, "val_loss": 0}, [])


@pytest.mark.parametrize("callbacks", [[print, "tell"], print])
def test_callbacks_are_looked_at_before_the_data_are_read(callbacks: Any) -> None:
    """Reading and preparing may take minutes."""
    with pytest.raises(InputError, match=r"f\(study, trial\), found"):
        tasks.search("no/such/file.csv", target="y", callbacks=callbacks)


@pytest.mark.parametrize("n_jobs", [0, -2, True, 1.5, "2"])
def test_workers_that_cannot_be(tmp_path: Path, n_jobs: Any) -> None:
    """Nothing is begun with a number of workers that is none."""
    message = f"n_jobs is a whole number of at least 1, or -1 for all cores, found {n_jobs!r}"
    with pytest.raises(InputError, match=message):
        tasks.search(*blobs(32), n_jobs=n_jobs, out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_as_many_workers_as_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """-1 and None are all that this process may use, and never more than trials that are under way."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 4, 5}, raising=False)
    assert [3, 3, 2, 1] == [_jobs(-1, 4), _jobs(None, 4), _jobs(np.int64(-1), 2), _jobs(1, 4)]


@pytest.mark.parametrize("device", ["cpu:7", "cpu:", "cpu:one", "cuda:99", "tpu"])
def test_devices_that_are_not_there(tmp_path: Path, device: str) -> None:
    """An index is looked at too."""
    with pytest.raises(InputError, match=f"device '{device}' is not on this machine. There is: "):
        tasks.search(*blobs(32), device=device, out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
