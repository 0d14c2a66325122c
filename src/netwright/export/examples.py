"""Rows of the data of a search, each for what it may be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.training.goals import read_goal

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
    choice has seen it. ``task`` is the goal: see :mod:`netwright.training.goals`.
    """

    inputs: Array
    calibration: Array | None = None
    selection: Rows | None = None
    test: Rows | None = None
    task: str = "classification"

    @property
    def metric(self) -> str:
        """What :meth:`score` gives."""
        goal = read_goal(self.task)
        return goal.shown if goal.way == "maximize" else f"minus {goal.credit}"

    def score(self, outputs: Array, rows: Rows) -> float:
        """What outputs are worth on these rows, more is better: accuracy, R², …"""
        return float(read_goal(self.task).credits(outputs, rows.y).mean())
