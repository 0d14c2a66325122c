"""Several labels a row, in all forms, and labels that are missing."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

import netwright as nw
from netwright.errors import DataError
from netwright.tasks import text
from netwright.tasks.checks import is_missing
from netwright.tasks.kinds import KINDS
from netwright.tasks.labels import Labels, _said, code, plain_numbers, read_labels
from netwright.tasks.readers import TASKS

MATRIX = np.array([[1, 0], [0, 1], [1, 1]])
SETS = [{"high"}, {"warm"}, {"high", "warm"}]


def learnt(y: Any) -> Labels:
    return read_labels(y, rows=3, goal="labels")


def again(labels: Labels, y: Any) -> list[list[float]]:
    coded: list[list[float]] = code(y, labels, rows=3).tolist()
    return coded


def frame(**columns: list[int]) -> pd.DataFrame:
    return pd.DataFrame(columns)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("goal", ["classification", "regression"])
def test_hints_name_tasks_and_estimators_that_exist(kind: str, goal: str) -> None:
    """Of kinds whose targets decide what is predicted there is nothing to name."""
    said = _said(goal, kind)
    assert bool(said) == (f"{kind.removesuffix('s')}-{goal}" in TASKS or f"{kind}-{goal}" in TASKS)
    for task in re.findall(r"(?:--task |task=')([\w-]+)", said):
        assert task in TASKS
    for estimator in re.findall(r"in Python (\w+)\)", said):
        assert hasattr(nw, estimator)


def test_targets_of_several_are_told_of_no_task() -> None:
    """A number that occurs once, and one that is missing among decimal commas."""
    with pytest.raises(DataError, match="Add examples, or leave it out") as caught:
        read_labels({"a": [1, 1, 2]}, rows=3, goal=None)
    assert "--task" not in str(caught.value)
    with pytest.raises(DataError, match=r"Leave these rows out\.$"):
        plain_numbers(["1,5", "2,5", "?"], None, kind="several")


@pytest.mark.parametrize(
    "y",
    [
        MATRIX,
        MATRIX.tolist(),
        MATRIX.astype(bool),
        SETS,
        [list(each) for each in SETS],
        [tuple(each) for each in SETS],
        frame(high=[1, 0, 1], warm=[0, 1, 1]),
        frame(warm=[0, 1, 1], high=[1, 0, 1]),
    ],
    ids=["matrix", "rows", "booleans", "sets", "lists", "tuples", "frame", "frame in another order"],
)
def test_a_test_part_in_any_form(y: Any) -> None:
    """Labels that have names are taken by them, others by their place."""
    assert MATRIX.tolist() == again(learnt(SETS), y)
    assert MATRIX.tolist() == again(learnt(frame(high=[1, 0, 1], warm=[0, 1, 1])), y)


def test_a_row_may_have_no_label() -> None:
    """In all forms."""
    assert [[0, 0], [0, 1], [0, 0]] == again(learnt(SETS), [[], ["warm"], set()])
    assert [[0, 0]] * 3 == again(learnt(SETS), [[], [], []])


def test_columns_without_names_are_called_by_their_places() -> None:
    """A frame that was made of an array has such columns, too."""
    assert MATRIX.tolist() == again(learnt(MATRIX), pd.DataFrame(MATRIX))
    assert MATRIX.tolist() == again(learnt(MATRIX), [{0}, {1}, {0, 1}])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (frame(high=[1, 0, 1]), "y_test is without the column 'warm', and the labels of the training part are high, w"),
        (frame(high=[1] * 3, warm=[0] * 3, cold=[0] * 3), "y_test has the column 'cold', and the labels"),
        (frame(high=[1] * 3, cold=[0] * 3), "has the column 'cold' and is without the column 'warm'"),
        (pd.DataFrame(np.ones((3, 3), int), columns=["high", "warm", "warm"]), "y_test has two columns 'warm'"),
        (
            [{"high"}, {"warm", "cold"}, ["cold"]],
            r"y_test\[1\] has 'cold', a label that the training part has not \(2 of 3 rows\)",
        ),
        ([["high"], ["warm"]], r"y_test of shape \(2, 2\) does not give 3 rows their labels"),
        ([[], []], r"y_test of shape \(2, 0\) does not give 3 rows their labels"),
        (MATRIX[:, :1], r"y_test of shape \(3, 1\) does not give 3 rows their labels"),
        (2 * MATRIX, "y_test holds other values than 0 and 1"),
        ([["high"], ["warm"], [None]], r"Input y_test contains NaN: a label of y_test\[2\] is missing"),
    ],
)
def test_what_does_not_fit_is_refused(y: Any, message: str) -> None:
    """By the name of the label."""
    with pytest.raises(DataError, match=message):
        again(learnt(SETS), y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([["a"], [1], ["a", 1]], "the labels of y mixes strings and numbers"),
        ([["a"], ["b", pd.NA], ["a"]], r"a label of y\[1\] is missing"),
        (pd.DataFrame({"a": pd.array([1, None, 0], "Int64"), "b": [0, 1, 1]}), "the label 'a' is missing in row 2"),
        (pd.DataFrame(MATRIX, columns=["a", "a"]), "y has 2 columns, two of them called 'a'"),
        ([[], [], []], r"y of shape \(3, 0\) does not give 3 rows their labels"),
    ],
)
def test_labels_that_cannot_be_learnt(y: Any, message: str) -> None:
    """One line says why."""
    with pytest.raises(DataError, match=message):
        learnt(y)


@pytest.mark.parametrize("goal", [None, "classification", "regression"])
@pytest.mark.parametrize(
    "days",
    [
        [f"2021-01-{day:02}" for day in range(1, 21)],
        [f"{day}.01.2021" for day in range(1, 21)],
        [f"01/{day}/2021 14:30" for day in range(1, 21)],
        pd.Series(pd.date_range("2021-01-01", periods=20)),
        pd.Series(pd.date_range("2021-01-01", periods=20, tz="UTC")),
        pd.Series([day.date() for day in pd.date_range("2021-01-01", periods=20)]),
    ],
)
def test_dates_are_no_target(days: Any, goal: Any) -> None:
    """Neither classes nor numbers; the message names one of them."""
    with pytest.raises(DataError, match=r"y holds dates, such as '.*2021.*', expected classes or numbers\. Choose"):
        read_labels(days, rows=20, goal=goal)
    some = [*days[:18], "soon", "late"]
    if isinstance(days, list):
        with pytest.raises(DataError, match=r"20 classes .*single|regression predicts numbers"):
            read_labels(some, rows=20, goal=goal)


@pytest.mark.parametrize("value", [None, np.nan, float("nan"), np.float32("nan"), pd.NA, pd.NaT, np.datetime64("NaT")])
def test_what_is_missing(value: Any) -> None:
    """Whatever a library has for it."""
    assert is_missing(value)


@pytest.mark.parametrize("value", ["", "nan", 0, False, [], [np.nan], np.array([np.nan, 1.0]), set(), b""])
def test_what_is_there(value: Any) -> None:
    """Also what is empty, and what holds something that is missing."""
    assert not is_missing(value)


def test_missing_strings_of_pandas() -> None:
    """Labels and texts with them are refused as those with None are."""
    values = pd.Series(["good", pd.NA, "bad", "good", "bad"], dtype="string")
    with pytest.raises(DataError, match=r"contains NaN: 1 of 5 targets are missing, the first at y\[1\]"):
        read_labels(values, rows=5, goal=None)
    with pytest.raises(DataError, match="contains NaN: 1 of 5 texts are missing, the first in row 2"):
        text.take(values)
    assert ("said",) == text.take(pd.DataFrame({"said": values.fillna(""), "empty": [pd.NA] * 5})).columns
