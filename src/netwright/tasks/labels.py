"""What is to be predicted: class labels as codes, or numbers."""

from __future__ import annotations

import dataclasses
import datetime
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from netwright.errors import DataError, InputError
from netwright.tasks.checks import as_array, check_finite, collected, is_frame, is_missing, shorten
from netwright.tasks.columns import UNKNOWN, are_days, looks_like, written_numbers

Goal = Literal["classification", "regression", "labels"]

FEW = 20
"""Up to so many different whole numbers in the target of a table are taken for classes."""


PLAINLY = "Write numbers plainly, as 1234.5, to predict them"
_SAID = {
    "images": ("", "Image"), "tables": ("", "Tabular"), "text": ("text-", "Text"), "series": ("series-", "TimeSeries"),
    "audio": ("audio-", "Audio"),
}  # fmt: skip
"""How a task of a kind begins on the command line, beside what it predicts, and the name of its estimator.

Other kinds have one task each, whose targets decide by themselves what is predicted.
"""


@dataclass(frozen=True)
class Labels:
    """The target of every row: ``y`` int64 codes into ``classes``, or float64 numbers when ``classes`` is None.

    ``classes`` is an array of the labels as they were given (integers, strings or booleans), in increasing order.
    ``goal`` is given where there may be several labels at once (``y`` is then (N, K), a column of 0 and 1 each), or
    where targets follow from the rows themselves (``y`` is then (N,) without meaning). ``weights`` say how much a row
    counts in training. ``parts`` has the targets by their names where there are several; ``y`` is then (N, parts).
    """

    y: np.ndarray
    classes: np.ndarray | None
    goal: str | None = None
    weights: np.ndarray | None = None
    parts: tuple[tuple[str, Labels], ...] = ()

    @property
    def task(self) -> str:
        """One of :data:`netwright.training.goals.GOALS`."""
        return self.goal or ("regression" if self.classes is None else "classification")

    @property
    def names(self) -> tuple[str, ...] | None:
        """The classes as text, for cards and reports."""
        return None if self.classes is None else tuple(str(value) for value in self.classes)


def plain_numbers(y: Any, goal: Goal | None, name: str = "y", kind: str = "tables") -> tuple[Any, str | None]:
    """Numbers with decimal commas as such, where classes are not asked for, and a note; anything else as it is.

    DataError where there are such, or plain numbers, and ``?`` where one is missing.
    """
    values = _plain(y) if goal in (None, "regression") and not isinstance(y, Mapping) else None
    if not isinstance(values, np.ndarray) or values.ndim != 1 or not all(isinstance(value, str) for value in values):
        return y, None
    found = written_numbers(values)
    if found is None:
        return y, None
    if found.unknown:
        first = int(np.isnan(found.values).argmax())
        raise DataError(
            f"{name} has {UNKNOWN!r} in {found.unknown:,} of {len(found.values):,} rows, numbers in the others;"
            f" the first is row {first + 1}",
            hint=f"Leave these rows out. {_said('classification', kind)}".rstrip(),
        )
    example = next(value for value in values if "," in value)
    return found.values, f"{name} is read as numbers with decimal commas ({shorten(example)})"


def read_labels(
    y: Any,
    *,
    rows: int,
    goal: Goal | None,
    few: int | None = FEW,
    name: str = "y",
    X: str = "X",
    weights: Any = None,
    kind: str = "tables",
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
    if isinstance(y, Mapping):
        return _together(y, rows, few, name, X, weights)
    if goal == "labels":
        return _several(y, rows, name, X, weights)
    plain = _plain(y)
    _check_no_dates(plain, name)
    values = _flat(as_array(plain, name), name)
    if len(values) != rows:
        raise DataError(
            f"{X} has {rows:,} rows and {name} has {len(values):,} values", hint="Give one target to every row"
        )
    counts = None if weights is None else read_weights(weights, rows)
    if values.dtype.kind == "O":
        values = _settle(values, name)
    check_finite(values, name)
    if goal is None:
        goal = _guess(values, few)
    if goal == "regression":
        if values.dtype.kind not in "biuf":
            raise DataError(
                f"regression predicts numbers, {name} holds {shorten(values[0])}",
                hint=_instead_of_numbers(values, kind),
            )
        numbers = values.astype(np.float64)
        if rows > 1 and np.ptp(numbers) == 0:
            raise DataError(
                f"{name} has the same value, {shorten(values[0])}, in all {rows:,} rows",
                hint="There is nothing to learn",
            )
        return Labels(numbers, None, weights=counts)
    if values.dtype.kind == "f":
        broken = np.flatnonzero(values != np.floor(values))
        if len(broken):
            raise DataError(
                f"Unknown label type: continuous: {name}[{broken[0]}] is {shorten(values[broken[0]])},"
                " and classes are whole numbers or strings",
                hint=_said("regression", kind) or None,
            )
        values = values.astype(np.int64)
    classes, codes = np.unique(values, return_inverse=True)
    _check_members(classes, np.bincount(codes), rows, name, kind)
    return Labels(codes.astype(np.int64), classes, weights=counts)


def _check_no_dates(y: Any, name: str) -> None:
    """DataError for a target that is a date in every row: there would be hardly a class with two members."""
    if not isinstance(y, np.ndarray) or y.ndim != 1 or not len(y):
        return
    dated = y.dtype.kind == "M" or all(isinstance(value, datetime.date) for value in y)
    if dated or (all(isinstance(value, str) for value in y) and are_days(y)):
        raise DataError(
            f"{name} holds dates, such as {str(y[0]).removesuffix('T00:00:00.000000000')!r},"
            " expected classes or numbers",
            hint="Choose another target; or give days as numbers, or classes such as the month",
        )


def _together(y: Mapping[str, Any], rows: int, few: int | None, name: str, X: str, weights: Any) -> Labels:
    """Several targets by their names: each classes, or a number."""
    if not y:
        raise DataError(f"{name} is an empty mapping", hint="Give a target, or several by their names")
    parts = tuple(
        (str(key), read_labels(value, rows=rows, goal=None, few=few, name=f"{name}[{key!r}]", X=X, kind="several"))
        for key, value in y.items()
    )
    sizes = ",".join(str(1 if each.classes is None else len(each.classes)) for _, each in parts)
    counts = None if weights is None else read_weights(weights, rows)
    stacked = np.column_stack([each.y.astype(np.float64) for _, each in parts])
    return Labels(stacked, None, f"several({sizes})", counts, parts)


def read_weights(weights: Any, rows: int) -> np.ndarray:
    """How much each row counts in training, checked: ``"balanced"`` is not one, see :func:`balanced`."""
    values = _flat(as_array(_plain(weights), "sample_weight"), "sample_weight")
    if len(values) != rows:
        raise DataError(
            f"X has {rows:,} rows and sample_weight has {len(values):,} values", hint="Give one weight a row"
        )
    if values.dtype.kind == "O":
        values = _settle(values, "sample_weight")
    if values.dtype.kind not in "biuf":
        raise DataError(f"sample_weight holds {shorten(values[0])}, expected numbers")
    check_finite(values, "sample_weight")
    if (values < 0).any():
        raise DataError("sample_weight has to be at least 0 everywhere", hint="0 leaves a row out of the training")
    if not (values > 0).any():
        raise DataError("sample_weight is zero in all rows", hint="Some rows have to count")
    return values.astype(np.float32)


def balanced(labels: Labels, weights: Mapping[Any, float] | None = None) -> Labels:
    """The same labels, each row counting as its class asks: all classes alike, or as ``weights`` has it by class.

    A class may be named by its text. InputError where there are no classes, where ``weights`` names one that is not
    there, and for what is no number from 0 on.
    """
    if labels.task != "classification" or labels.classes is None:
        raise InputError(f"class_weight is for classes, and the goal is {labels.task}")
    if weights is None:
        counts = np.bincount(labels.y, minlength=len(labels.classes))
        each = len(labels.y) / (len(labels.classes) * np.maximum(counts, 1))
    else:
        known = labels.classes.tolist()
        texts = {str(name): name for name in known}
        named = {name if name in known else texts.get(name, name): value for name, value in weights.items()}
        unknown = [name for name in named if name not in known]
        if unknown:
            raise InputError(
                f"class_weight names the class {shorten(unknown[0])}, which y has not",
                hint=f"y has {', '.join(map(shorten, known[:10]))}{', …' * (len(known) > 10)}",
            )
        for name, value in named.items():
            number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            if not (number and 0 <= value < np.inf):
                raise InputError(f"class_weight of {shorten(name)} is a number from 0 on, found {value!r}")
        each = np.array([float(named.get(name, 1.0)) for name in known])
        if not each.any():
            raise InputError("class_weight is zero for all classes", hint="Some class has to count")
    own = np.ones(len(labels.y)) if labels.weights is None else labels.weights
    return dataclasses.replace(labels, weights=(own * each[labels.y]).astype(np.float32))


def _several(y: Any, rows: int, name: str, X: str, weights: Any) -> Labels:
    """Any number of labels a row: a matrix of 0 and 1 (its columns are named by them), or collections."""
    classes, matrix = _columns(y, name)
    if classes is None:
        classes = np.arange(matrix.shape[1] if matrix.ndim == 2 else 0)
    matrix = _binary(matrix, classes, rows, name)
    twice = [label for label, count in Counter(classes.tolist()).items() if count > 1]
    if twice:
        raise DataError(f"{name} has {matrix.shape[1]} columns, two of them called {shorten(twice[0])}")
    same = np.flatnonzero((matrix == matrix[:1]).all(0))
    if len(same):
        raise DataError(
            f"the label {shorten(classes[same[0]])} has one value in all {rows:,} rows",
            hint="Leave it out: there is nothing to learn",
        )
    counts = None if weights is None else read_weights(weights, rows)
    return Labels(matrix, classes, "labels", counts)


def _columns(y: Any, name: str) -> tuple[np.ndarray | None, np.ndarray]:
    """Labels as a matrix with a column each, and what these are called: None where it is by their places alone."""
    if is_frame(y):
        return np.array([str(column) for column in y.columns]), y.to_numpy()
    if not (isinstance(y, list | tuple) and all(isinstance(each, set | frozenset | list | tuple) for each in y)):
        return None, as_array(y, name)
    flat = np.empty(sum(map(len, y)), dtype=object)
    flat[:] = [value for each in y for value in each]
    absent = next((row for row, each in enumerate(y) if any(map(is_missing, each))), None)
    if absent is not None:
        raise DataError(f"Input {name} contains NaN: a label of {name}[{absent}] is missing", hint="Leave it out")
    classes = np.unique(_settle(flat, f"the labels of {name}")) if len(flat) else np.array([])
    listed = not any(isinstance(each, set | frozenset) for each in y)
    if listed and len(flat) and set(classes.tolist()) <= {0, 1} and len(set(map(len, y))) == 1:
        return None, np.array([list(each) for each in y])
    return classes, np.array([[value in each for value in classes.tolist()] for each in y], dtype=np.float64)


def _binary(matrix: np.ndarray, classes: np.ndarray, rows: int, name: str) -> np.ndarray:
    """A matrix of labels, checked: float64 (rows, classes) of 0 and 1."""
    if matrix.shape != (rows, len(classes)) or not len(classes):
        raise DataError(
            f"{name} of shape {matrix.shape} does not give {rows:,} rows their labels",
            hint="Give a matrix of 0 and 1, a column a label, or a collection of labels for each row",
        )
    missing = np.argwhere(np.vectorize(is_missing, otypes=[bool])(matrix))
    if len(missing):
        row, column = missing[0]
        raise DataError(
            f"Input {name} contains NaN: the label {shorten(classes[column])} is missing in row {row + 1}",
            hint="Give 0 or 1, or leave the row out",
        )
    if not np.isin(matrix, (0, 1)).all():
        raise DataError(f"{name} holds other values than 0 and 1", hint="Give a column of 0 and 1 for each label")
    return matrix.astype(np.float64)


def code(y: Any, labels: Labels, *, rows: int, name: str = "y_test", X: str = "X_test") -> np.ndarray:
    """``y`` of a test part in the codes of ``labels``; raises DataError for a class that the training part has not."""
    if labels.parts:
        if not isinstance(y, Mapping) or set(y) != {key for key, _ in labels.parts}:
            raise DataError(f"{name} is no mapping with the targets {', '.join(key for key, _ in labels.parts)}")
        return np.column_stack(
            [code(y[key], each, rows=rows, name=f"{name}[{key!r}]", X=X) for key, each in labels.parts]
        )
    if labels.task == "labels":
        return _several_again(y, labels, rows, name)
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
        if values.dtype.kind in "US":
            values = plain_numbers(values, "regression", name)[0]
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


def _several_again(y: Any, labels: Labels, rows: int, name: str) -> np.ndarray:
    """Labels of a test part in the columns of ``labels``; those that have names are taken by them, not by place."""
    known = labels.names
    assert known is not None
    assert labels.classes is not None
    given, matrix = _columns(y, name)
    if given is None:
        return _binary(matrix, labels.classes, rows, name)
    if len(given) or len(matrix) != rows:
        matrix = _binary(matrix, given, rows, name)
    names = [str(label) for label in given.tolist()]
    strange = [place for place, label in enumerate(names) if label not in known]
    absent = [label for label in known if label not in names]
    if is_frame(y):
        problems = [f"has the column {shorten(names[place])}" for place in strange[:1]]
        problems += [f"has two columns {shorten(label)}" for label in known if names.count(label) > 1][:1]
        problems += [f"is without the column {shorten(label)}" for label in absent[:1]]
        if problems:
            raise DataError(
                f"{name} {' and '.join(problems)}, and the labels of the training part are {', '.join(known[:8])}"
                + (", …" if len(known) > 8 else ""),
                hint="Give a column of 0 and 1 for each of them, or an array with these columns in this order",
            )
    elif strange:
        has = matrix[:, strange].any(1)
        row = int(has.argmax())
        label = given[next(place for place in strange if matrix[row, place])]
        raise DataError(
            f"{name}[{row}] has {shorten(label)}, a label that the training part has not"
            f" ({int(has.sum()):,} of {rows:,} rows)",
            hint="Add examples of it to the training part, or leave it out",
        )
    found = np.zeros((rows, len(known)))
    for place, label in enumerate(known):
        if label in names:
            found[:, place] = matrix[:, names.index(label)]
    return found


def _plain(y: Any) -> Any:
    """Lists as arrays of objects, so that numbers among strings stay numbers; pandas as numpy; others as they are."""
    y = collected(y)
    if isinstance(y, list | tuple):
        try:
            return np.array(y, dtype=object)
        except ValueError:
            return y
    return y.to_numpy() if type(y).__module__.partition(".")[0] in ("pandas", "polars") else y


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
    missing = [i for i, value in enumerate(values) if is_missing(value)]
    if missing:
        raise DataError(
            f"Input {name} contains NaN: {len(missing):,} of {len(values):,} targets are missing,"
            f" the first at {name}[{missing[0]}]",
            hint="Leave these rows out"
            + ("; if a class is called NA: pandas.read_csv(…, keep_default_na=False)" if _words_in(values) else ""),
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


def _words_in(values: np.ndarray) -> bool:
    """Whether words stand among objects, as where pandas has read a class as missing."""
    return any(isinstance(value, str) for value in values)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number | np.bool_)


def _guess(values: np.ndarray, few: int | None) -> Goal:
    if values.dtype.kind in "USb":
        return "classification"
    if values.dtype.kind == "f" and (values != np.floor(values)).any():
        return "regression"
    return "classification" if few is None or len(np.unique(values)) <= few else "regression"


def _said(goal: str, kind: str) -> str:
    """How somebody says that numbers, or classes, of this kind of data are predicted; empty where nobody can."""
    if kind not in _SAID:
        return ""
    front, estimator = _SAID[kind]
    name = estimator + ("Regressor" if goal == "regression" else "Classifier")
    # There is no estimator of its own for numbers from sounds.
    python = f"task={front + goal!r}" if name == "AudioRegressor" else name
    what = "numbers" if goal == "regression" else "classes"
    return f"To predict {what}: --task {front}{goal} (in Python {python})"


def _instead_of_numbers(values: np.ndarray, kind: str) -> str:
    """What to do with texts where numbers are asked for: only what would not be refused next."""
    like = looks_like(values.tolist())
    if like is not None and like[0] == "numbers":
        return PLAINLY
    _, counts = np.unique(values, return_counts=True)
    if len(counts) > 1 and (counts > 1).all():
        return _said("classification", kind)
    return "Choose a target of numbers, or of classes that have two members or more"


def _check_members(classes: np.ndarray, counts: np.ndarray, rows: int, name: str, kind: str) -> None:
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
            hint=f"Is it the right target? {_instead_of_classes(classes, kind)}".rstrip(),
        )
    listed = ", ".join(shorten(value, 20) for value in classes[single[:3]]) + (", …" if len(single) > 3 else "")
    subject = (
        f"class {listed} has a single member"
        if len(single) == 1
        else f"{len(single):,} classes ({listed}) have a single member"
    )
    raise DataError(
        f"{subject}, which cannot be in both the training and the test part",
        hint=f"Add examples, or leave it out. {_instead_of_classes(classes, kind)}".rstrip(),
    )


def _instead_of_classes(classes: np.ndarray, kind: str) -> str:
    """What else these may be, if anything."""
    commas = classes.dtype.kind == "U" and written_numbers(classes) is not None
    if classes.dtype.kind in "iuf" or commas:
        return _said("regression", kind)
    like = looks_like(classes.tolist()) if classes.dtype.kind == "U" else None
    return PLAINLY if like is not None and like[0] == "numbers" else ""
