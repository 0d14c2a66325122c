"""Rows of the data of a search, each for what it may be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Rows:
    """Prepared inputs (N, …), float32, and what they should give: codes of classes, or numbers (N,) or (N, K)."""

    X: Array
    y: Array

    def __len__(self) -> int:
        return len(self.X)


@dataclass(frozen=True, eq=False)
class Examples:
    """What an export is checked and calibrated on.

    ``inputs`` are compared, row by row, with the network's own answers. ``calibration`` is of the part that the
    network was trained on; by ``selection`` a way to quantise is chosen, and ``test`` says what it is worth: no
    choice has seen it. ``task`` says how: accuracy, or R².
    """

    inputs: Array
    calibration: Array | None = None
    selection: Rows | None = None
    test: Rows | None = None
    task: Literal["classification", "regression"] = "classification"

    def score(self, outputs: Array, rows: Rows) -> float:
        """The accuracy of ``outputs`` (N, classes), or the mean R² of numbers (N, K), on these rows."""
        if self.task == "classification":
            return float((outputs.argmax(1) == rows.y).mean())
        wanted = rows.y.reshape(len(rows), -1).astype(np.float64)
        errors = ((outputs.reshape(wanted.shape) - wanted) ** 2).sum(0)
        spread = ((wanted - wanted.mean(0)) ** 2).sum(0)
        return float(np.where(spread > 0, 1 - errors / np.where(spread > 0, spread, 1.0), errors == 0).mean())
