"""Arguments that no search can use are refused before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netwright import tasks
from netwright.errors import InputError
from netwright.tasks.job import _check_metrics
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


@pytest.mark.parametrize("device", ["cpu:7", "cpu:", "cpu:one", "cuda:99", "tpu"])
def test_devices_that_are_not_there(tmp_path: Path, device: str) -> None:
    """An index is looked at too."""
    with pytest.raises(InputError, match=f"device '{device}' is not on this machine. There is: "):
        tasks.search(*blobs(32), device=device, out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
