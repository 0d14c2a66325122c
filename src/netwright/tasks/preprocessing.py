"""From rows as they were read to what a network takes, and from what it answers to the user's own words.

The constants in between (means, deviations, values of categories, names of classes) are a JSON object. They are
learned on the rows that the caller names, so that nothing of a test part leaks into them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netwright.errors import DataError, InputError
from netwright.tasks import targets
from netwright.tasks.checks import shorten
from netwright.tasks.kinds import KINDS, Kind, kind_of
from netwright.tasks.labels import Labels

if TYPE_CHECKING:
    from netwright.training.data import Data

FORMAT = 1


@dataclass(frozen=True)
class Raw:
    """Rows as they were read, checked but not scaled, in the container of their kind: an array of images (N, C, H, W)
    of any real dtype, a Table, …"""

    X: Any
    labels: Labels

    def __len__(self) -> int:
        return len(self.X)

    @property
    def kind(self) -> str:
        return kind_of(self.X)

    @property
    def y(self) -> np.ndarray:
        """int64 codes of classes, or float64 numbers in the target's own unit."""
        return self.labels.y


def fit_preprocessing(raw: Raw, indices: np.ndarray | None = None, *, target: str | None = None) -> dict[str, Any]:
    """The constants, learned on the rows ``indices`` alone (all when None), as a JSON object.

    ======== ==================================================================================================
    format   1
    kind     one of ``netwright.tasks.kinds.KINDS``
    inputs   what the kind's ``learn`` gives; of images ``shape, mean, std``; of tables ``numbers, categories``
    target   ``name``, and ``classes`` or ``labels`` (as they were given), or ``mean`` and ``std`` of numbers
    ======== ==================================================================================================
    """
    rows = None if indices is None else np.asarray(indices)
    if rows is not None and not len(rows):
        raise InputError("preprocessing cannot be learned on no rows at all")
    inputs = KINDS[raw.kind].learn(raw.X, rows)
    return {
        "format": FORMAT,
        "kind": raw.kind,
        "inputs": inputs,
        "target": {"name": target, **targets.learn(raw.labels, rows)},
    }


def apply(preprocessing: Mapping[str, Any], X: Any, name: str = "X") -> np.ndarray:
    """New rows as inputs of the network, float32: in any form that users have them, or a Raw's ``X``.

    ``name`` is what messages call them, such as the file that they are from.

    Raises DataError for NaN and infinity in an array, another number of features, another size of images, a column
    that is not there, …
    """
    known = kind(preprocessing)
    return known.apply(preprocessing["inputs"], _rows(X, name, known.name), name)


def _rows(X: Any, name: str, kind: str) -> Any:
    """What may hold rows: something that can be counted, in which there are some; an iterator as a list.

    What cannot be counted and is none may have an array to give.
    """
    X = list(X) if isinstance(X, Iterator) else X
    X = np.asarray(X) if hasattr(X, "__array__") and not hasattr(X, "__len__") else X
    named = {"several": Mapping, "forecast": Mapping, "language": str, "text": str}
    odd = isinstance(X, str | bytes | Mapping | Set) and not isinstance(X, named.get(kind, ()))
    try:
        count = len(X)
    except TypeError:
        odd, count = True, 0
    if odd:
        raise DataError(
            f"{name} is {shorten(X)}, expected rows as in training",
            hint="Give an array, a list of rows or a data frame" if kind != "several" else "Give inputs by their names",
        )
    if not count and kind != "language":
        raise DataError(f"there is nothing to predict: {name} has no rows")
    return X


def kind(preprocessing: Mapping[str, Any]) -> Kind:
    """The kind of the data that these constants are of."""
    if preprocessing.get("format") != FORMAT:
        raise InputError(
            f"preprocessing of format {preprocessing.get('format')!r}, this version reads {FORMAT}",
            hint="Use the version of netwright that wrote it",
        )
    return KINDS[preprocessing["kind"]]


def facts(preprocessing: Mapping[str, Any]) -> dict[str, Any]:
    """What a network for these data has to know beside the shape of its input.

    ``regression`` is there, and True, where a number is predicted.
    """
    known = kind(preprocessing).facts(preprocessing["inputs"])
    return {**known, "regression": True} if "mean" in preprocessing["target"] else known


def to_data(preprocessing: Mapping[str, Any], raw: Raw) -> Data:
    """``raw`` as data to train on. Numbers to predict are standardised; :func:`predictions` undoes it."""
    from netwright.training.data import Data

    constants, labels = preprocessing["inputs"], raw.labels
    own = kind(preprocessing).maybe("targets")
    y = targets.encode(preprocessing["target"], labels) if own is None else own(constants, raw.X)
    classes = labels.names
    if labels.task == "tokens":
        classes = tuple(constants["tokens"])
    return Data(
        X=apply(preprocessing, raw.X),
        y=y,
        classes=classes,
        goal=None if labels.task in ("classification", "regression") else labels.task,
        facts=facts(preprocessing),
        weights=labels.weights,
    )


def probabilities(preprocessing: Mapping[str, Any], outputs: np.ndarray) -> Any:
    """Those of a classifier's outputs (N, classes), float64; of labels, which do not exclude each other, one each."""
    return targets.probabilities(preprocessing["target"], outputs)


def predictions(preprocessing: Mapping[str, Any], outputs: np.ndarray) -> Any:
    """What the outputs of a network mean: labels as they were given, or numbers in the target's own unit."""
    return targets.decode(preprocessing["target"], outputs)


def answers(preprocessing: Mapping[str, Any], outputs: np.ndarray) -> dict[str, Any]:
    """The same as a JSON object: ``predictions``, and where there are ``classes`` or ``labels`` those and the
    ``probabilities``."""
    own = kind(preprocessing).maybe("answers")
    if own is not None:
        made: dict[str, Any] = own(preprocessing, outputs)
        return made
    heads = preprocessing["target"].get("heads")
    if heads is not None:
        chances = probabilities(preprocessing, outputs)
        return {
            "predictions": {name: part.tolist() for name, part in predictions(preprocessing, outputs).items()},
            "classes": {head["name"]: head["classes"] for head in heads if "classes" in head},
            "probabilities": {name: part.tolist() for name, part in chances.items()},
        }
    value: dict[str, Any] = {"predictions": predictions(preprocessing, outputs).tolist()}
    for name in ("classes", "labels"):
        if name in preprocessing["target"]:
            value[name] = list(preprocessing["target"][name])
            value["probabilities"] = probabilities(preprocessing, outputs).tolist()
    return value
