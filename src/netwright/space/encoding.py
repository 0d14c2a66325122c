"""An architecture as a row of numbers of fixed length.

Unordered decisions have a column for each option (``name=option``, one-hot), numeric ones a column scaled to [0, 1]
(in the logarithm where ``log``), ``inputs`` a column for each input (``name[i]``), and a conditional decision one more
that says whether it was asked (``name?``). The columns of what was not asked are 0.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from netwright.architecture import Answer
from netwright.space.decisions import Decision, show


class Encoding:
    """The columns of a space."""

    def __init__(self, decisions: Sequence[Decision]) -> None:
        columns: list[str] = []
        self._parts: list[tuple[Decision, int]] = []
        for decision in decisions:
            self._parts.append((decision, len(columns)))
            if decision.conditional:
                columns.append(f"{decision.name}?")
            columns.extend(_columns(decision))
        self.columns = tuple(columns)

    def encode(self, answers: Mapping[str, Answer]) -> npt.NDArray[np.float64]:
        """The row of a complete architecture."""
        row = np.zeros(len(self.columns))
        for decision, start in self._parts:
            if decision.name not in answers:
                continue
            value = answers[decision.name]
            if decision.conditional:
                row[start] = 1.0
                start += 1
            if decision.kind == "inputs":
                row[[start + index for index in value]] = 1.0
            elif _scaled(decision):
                row[start] = _scale(decision, value)
            else:
                index = decision.position(value)
                assert index is not None
                row[start + index] = 1.0
        return row


def _columns(decision: Decision) -> list[str]:
    if decision.kind == "inputs":
        return [f"{decision.name}[{index}]" for index in range(decision.count or 0)]
    if _scaled(decision):
        return [decision.name]
    assert decision.options is not None
    labels = [show(option) for option in decision.options]
    if len(set(labels)) < len(labels):  # "3" and 3
        labels = [json.dumps(option) for option in decision.options]
    return [f"{decision.name}={label}" for label in labels]


def _scaled(decision: Decision) -> bool:
    """Whether one column is enough: numbers that are all different (1 and 1.0 are not)."""
    if not decision.numeric:
        return False
    return decision.options is None or decision.kind != "choose" or len(set(decision.options)) == len(decision.options)


def _scale(decision: Decision, value: int | float) -> float:
    if decision.kind == "choose":
        assert decision.options is not None
        low, high = min(decision.options), max(decision.options)
    else:
        assert decision.low is not None
        assert decision.high is not None
        low, high = decision.low, decision.high
    if low == high:
        return 0.0
    if decision.log:
        return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
    return float((value - low) / (high - low))
