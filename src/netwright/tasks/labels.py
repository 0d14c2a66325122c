"""What is to be predicted: class labels as codes, or numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from netwright.errors import DataError
from netwright.tasks.checks import as_array, check_finite, shorten

Goal = Literal["classification", "regression"]

FEW = 20
"""Up to so many different whole numbers in the target of a table are taken for classes."""


@dataclass(frozen=True)
class Labels:
    """The target of every row: ``y`` int64 codes into ``classes``, or float64 numbers when ``classes`` is None.

    ``classes`` is an array of the labels as they were given (integers, strings or booleans), in increasing order.
    """

    y: np.ndarray
    classes: np.ndarray | None

    @property
    def goal(self) -> Goal:
        return "regression" if self.classes is None else "classification"

    @property
    def names(self) -> tuple[str, ...] | None:
        """The classes as text, for cards and reports."""
        return None if self.classes is None else tuple(str(value) for value in self.classes)


def read_labels(
    y: Any, *, rows: int, goal: Goal | None, few: int | None = FEW, name: str = "y", X: str = "X"
) -> Labels:
    """``y`` checked and coded.

    Without a ``goal``, strings, booleans and whole numbers of at most ``few`` different values (None: any number of
    them) are classes, other numbers are not. Raises DataError for missing values, a wrong length, one class only, a
    class with a single member, or numbers like 0.5 where classes are wanted.
    """
    if y is None:
        raise DataError(
            f"requires {name} to be passed, but the target {name} is None", hint=f"Pass {name}, one value a row"
        )
    values = _flat(as_array(_plain(y), name), name)
    if len(values) != rows:
        raise DataError(
            f"{X} has {rows:,} rows and {name} has {len(values):,} values", hint="Give one target to every row"
        )
    if values.dtype.kind == "O":
        values = _settle(values, name)
    check_finite(values, name)
    if goal is None:
        goal = _guess(values, few)
    if goal == "regression":
        if values.dtype.kind not in "biuf":
            raise DataError(
                f"regression predicts numbers, {name} holds {shorten(values[0])}", hint="Use task='classification'"
            )
        numbers = values.astype(np.float64)
        if rows > 1 and np.ptp(numbers) == 0:
            raise DataError(
                f"{name} has the same value, {shorten(values[0])}, in all {rows:,} rows",
                hint="There is nothing to learn",
            )
        return Labels(numbers, None)
    if values.dtype.kind == "f":
        broken = np.flatnonzero(values != np.floor(values))
        if len(broken):
            raise DataError(
                f"Unknown label type: continuous: {name}[{broken[0]}] is {shorten(values[broken[0]])},"
                " and classes are whole numbers or strings",
                hint="To predict numbers: --task regression (task='regression' in Python)",
            )
        values = values.astype(np.int64)
    classes, codes = np.unique(values, return_inverse=True)
    _check_members(classes, np.bincount(codes), rows, name)
    return Labels(codes.astype(np.int64), classes)


def code(y: Any, labels: Labels, *, rows: int, name: str = "y_test", X: str = "X_test") -> np.ndarray:
    """``y`` of a test part in the codes of ``labels``; raises DataError for a class that the training part has not."""
    values = _flat(as_array(_plain(y), name), name)
    if len(values) != rows:
        raise DataError(
            f"{X} has {rows:,} rows and {name} has {len(values):,} values", hint="Give one target to every row"
        )
    if values.dtype.kind == "O":
        values = _settle(values, name)
    check_finite(values, name)
    classes = labels.classes
    if classes is None:
        if values.dtype.kind not in "biuf":
            raise DataError(f"{name} holds {shorten(values[0])}, expected numbers")
        return values.astype(np.float64)
    if (values.dtype.kind in "US") != (classes.dtype.kind in "US"):
        raise DataError(f"{name} holds {shorten(values[0])} where the training labels are like {shorten(classes[0])}")
    codes = np.searchsorted(classes, values).clip(max=len(classes) - 1)
    unknown = np.flatnonzero(classes[codes] != values)
    if len(unknown):
        raise DataError(
            f"{name}[{unknown[0]}] is {shorten(values[unknown[0]])}, a class that the training part has not"
            f" ({len(unknown):,} of {rows:,} rows)",
            hint="Add examples of it to the training part, or leave these rows out",
        )
    return codes.astype(np.int64)


def _plain(y: Any) -> Any:
    """Lists as arrays of objects, so that numbers among strings stay numbers; pandas as numpy; others as they are."""
    if isinstance(y, list | tuple):
        try:
            return np.array(y, dtype=object)
        except ValueError:
            return y
    return y.to_numpy() if type(y).__module__.partition(".")[0] == "pandas" else y


def _flat(values: np.ndarray, name: str) -> np.ndarray:
    if values.ndim == 2 and values.shape[1] == 1:
        return values[:, 0]
    if values.ndim == 2:
        raise DataError(
            f"{name} has {values.shape[1]} columns, one target is predicted", hint=f"Pass one column, as {name}[:, 0]"
        )
    if values.ndim != 1:
        raise DataError(f"{name} should be a 1d array, got an array of shape {values.shape} instead")
    return values


def _settle(values: np.ndarray, name: str) -> np.ndarray:
    """An array of objects as strings or numbers; raises DataError for missing values and for a mixture."""
    missing = [i for i, value in enumerate(values) if value is None or value != value]
    if missing:
        raise DataError(
            f"Input {name} contains NaN: {len(missing):,} of {len(values):,} targets are missing,"
            f" the first at {name}[{missing[0]}]",
            hint="Leave these rows out",
        )
    kinds = Counter(
        "text" if isinstance(value, str) else "number" if _is_number(value) else type(value).__name__
        for value in values
    )
    if set(kinds) == {"text"}:
        return values.astype(str)
    if set(kinds) == {"number"}:
        return np.array(values.tolist())
    if set(kinds) <= {"text", "number"}:
        odd = min(kinds, key=lambda kind: kinds[kind])
        first = next(i for i, value in enumerate(values) if isinstance(value, str) == (odd == "text"))
        raise DataError(
            f"Unknown label type: {name} mixes strings and numbers; {name}[{first}] is {shorten(values[first])}",
            hint="Use one kind for all labels",
        )
    other = next(kind for kind in kinds if kind not in ("text", "number"))
    raise DataError(f"Unknown label type: {name} holds a {other}", hint="Labels are whole numbers, booleans or strings")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number | np.bool_)


def _guess(values: np.ndarray, few: int | None) -> Goal:
    if values.dtype.kind in "USb":
        return "classification"
    if values.dtype.kind == "f" and (values != np.floor(values)).any():
        return "regression"
    return "classification" if few is None or len(np.unique(values)) <= few else "regression"


def _check_members(classes: np.ndarray, counts: np.ndarray, rows: int, name: str) -> None:
    if len(classes) < 2:
        raise DataError(
            f"{name} has one class, {shorten(classes[0])}, in all {rows:,} rows; a classifier needs two or more",
            hint="Add examples of another class, or choose another target",
        )
    single = np.flatnonzero(counts == 1)
    if not len(single):
        return
    if len(single) > len(classes) // 2 and len(classes) > FEW:
        raise DataError(
            f"{name} has {len(classes):,} classes in {rows:,} rows, {len(single):,} of them with a single member",
            hint="Is it the right target? To predict numbers: --task regression (task='regression' in Python)",
        )
    listed = ", ".join(shorten(value, 20) for value in classes[single[:3]]) + (", …" if len(single) > 3 else "")
    subject = (
        f"class {listed} has a single member"
        if len(single) == 1
        else f"{len(single):,} classes ({listed}) have a single member"
    )
    raise DataError(
        f"{subject}, which cannot be in both the training and the test part", hint="Add examples of it, or leave it out"
    )
