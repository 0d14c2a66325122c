"""From rows as they were read to what a network takes, and from what it answers to the user's own words.

The constants in between (means, deviations, values of categories, names of classes) are a JSON object. They are
learned on the rows that the caller names, so that nothing of a test part leaks into them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from netwright.errors import DataError, InputError
from netwright.tasks import images, tables
from netwright.tasks.checks import as_array, check_finite
from netwright.tasks.labels import Labels
from netwright.tasks.tables import Table

if TYPE_CHECKING:
    from netwright.training.data import Data

FORMAT = 1

Kind = Literal["images", "tables"]


@dataclass(frozen=True)
class Raw:
    """Rows as they were read, checked but not scaled: images (N, C, H, W) of any real dtype, or a Table."""

    X: np.ndarray | Table
    labels: Labels

    def __len__(self) -> int:
        return len(self.X)

    @property
    def kind(self) -> Kind:
        return "tables" if isinstance(self.X, Table) else "images"

    @property
    def y(self) -> np.ndarray:
        """int64 codes of classes, or float64 numbers in the target's own unit."""
        return self.labels.y


def fit_preprocessing(raw: Raw, indices: np.ndarray | None = None, *, target: str | None = None) -> dict[str, Any]:
    """The constants, learned on the rows ``indices`` alone (all when None), as a JSON object.

    ======== ==================================================================================================
    format   1
    kind     "images" or "tables"
    inputs   of images ``shape, mean, std``; of tables ``numbers, categories`` (see ``images.learn, tables.learn``)
    target   ``name``, and ``classes`` (as they were given) or ``mean`` and ``std`` of the numbers to predict
    ======== ==================================================================================================
    """
    rows = None if indices is None else np.asarray(indices)
    if rows is not None and not len(rows):
        raise InputError("preprocessing cannot be learned on no rows at all")
    inputs = tables.learn(raw.X, rows) if isinstance(raw.X, Table) else images.learn(raw.X, rows)
    classes = raw.labels.classes
    about: dict[str, Any] = {"name": target}
    if classes is None:
        chosen = raw.y if rows is None else raw.y[rows]
        std = float(chosen.std())
        about.update(mean=float(chosen.mean()), std=std if std > 0 else 1.0)
    else:
        about["classes"] = classes.tolist()
    return {"format": FORMAT, "kind": raw.kind, "inputs": inputs, "target": about}


def apply(preprocessing: Mapping[str, Any], X: Any) -> np.ndarray:
    """New rows as inputs of the network, float32: ``X`` is an array, a list, a tensor, a data frame or a Raw's ``X``.

    Raises DataError for NaN and infinity in an array, another number of features, another size of images, or a
    column that is not there.
    """
    _check_format(preprocessing)
    inputs = preprocessing["inputs"]
    if isinstance(X, Table):
        return tables.apply(inputs, X)
    if is_frame(X) and preprocessing["kind"] == "tables":
        return tables.apply(inputs, tables.from_frame(X))
    array = as_array(X)
    if preprocessing["kind"] == "images":
        check_finite(array)
        return images.apply(inputs, array)
    if array.ndim == 1:
        raise DataError(
            f"Expected 2D array, got 1D array instead: X has shape {array.shape}",
            hint="Reshape your data: X.reshape(1, -1) for one row, X.reshape(-1, 1) for one column",
        )
    return tables.apply(inputs, tables.from_matrix(array.reshape(len(array), -1)))


def to_data(preprocessing: Mapping[str, Any], raw: Raw) -> Data:
    """``raw`` as data to train on. Numbers to predict are standardised; :func:`predictions` undoes it."""
    from netwright.training.data import Data

    X = apply(preprocessing, raw.X)
    if raw.labels.classes is not None:
        return Data(X=X, y=raw.y.astype(np.int64), classes=raw.labels.names)
    about = preprocessing["target"]
    return Data(X=X, y=((raw.y - about["mean"]) / about["std"]).astype(np.float32), classes=None)


def probabilities(preprocessing: Mapping[str, Any], outputs: np.ndarray) -> np.ndarray:
    """The softmax of the outputs of a classifier (N, classes), float64."""
    _check_format(preprocessing)
    shifted = outputs.astype(np.float64) - outputs.max(1, keepdims=True)
    weights = np.exp(shifted)
    return np.asarray(weights / weights.sum(1, keepdims=True))


def predictions(preprocessing: Mapping[str, Any], outputs: np.ndarray) -> np.ndarray:
    """What the outputs of a network mean: labels as they were given, or numbers in the target's own unit."""
    _check_format(preprocessing)
    about = preprocessing["target"]
    if "classes" in about:
        labels: np.ndarray = np.asarray(about["classes"])[outputs.argmax(1)]
        return labels
    numbers: np.ndarray = outputs.reshape(len(outputs)).astype(np.float64) * about["std"] + about["mean"]
    return numbers


def answers(preprocessing: Mapping[str, Any], outputs: np.ndarray) -> dict[str, Any]:
    """The same as a JSON object: ``predictions``, and of a classifier ``classes`` and ``probabilities``."""
    value: dict[str, Any] = {"predictions": predictions(preprocessing, outputs).tolist()}
    if "classes" in preprocessing["target"]:
        value["classes"] = list(preprocessing["target"]["classes"])
        value["probabilities"] = probabilities(preprocessing, outputs).tolist()
    return value


def is_frame(X: Any) -> bool:
    """Whether ``X`` is a pandas data frame, without importing pandas."""
    return type(X).__module__.partition(".")[0] == "pandas" and hasattr(X, "columns")


def _check_format(preprocessing: Mapping[str, Any]) -> None:
    if preprocessing.get("format") != FORMAT:
        raise InputError(
            f"preprocessing of format {preprocessing.get('format')!r}, this version reads {FORMAT}",
            hint="Use the version of netwright that wrote it",
        )
