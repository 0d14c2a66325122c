"""The constants of what is to be predicted, and from a network's outputs back to the user's own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from netwright.errors import InputError
from netwright.tasks.labels import Labels

Constants = dict[str, Any]


def learn(labels: Labels, places: np.ndarray | None = None) -> Constants:
    """``classes`` (as they were given), ``labels``, or ``mean`` and ``std`` of the numbers, learned at these places."""
    if labels.parts:
        return {"heads": [{"name": name, **learn(each, places)} for name, each in labels.parts]}
    if labels.task == "labels":
        assert labels.classes is not None
        return {"labels": labels.classes.tolist()}
    if labels.classes is not None:
        return {"classes": labels.classes.tolist()}
    if labels.task != "regression":
        return {}
    chosen = labels.y if places is None else labels.y[places]
    std = float(chosen.std())
    return {"mean": float(chosen.mean()), "std": std if std > 0 else 1.0}


def encode(constants: Mapping[str, Any], labels: Labels) -> np.ndarray:
    """Targets as a network is trained on them: codes of classes, columns of 0 and 1, or standardised numbers."""
    if labels.parts:
        pairs = zip(constants["heads"], labels.parts, strict=True)
        return np.column_stack([encode(head, each).astype(np.float32) for head, (_, each) in pairs])
    if labels.task == "labels":
        return labels.y.astype(np.float32)
    if labels.classes is not None:
        return labels.y.astype(np.int64)
    return np.asarray((labels.y - constants["mean"]) / constants["std"], dtype=np.float32)


def heads(constants: Mapping[str, Any], outputs: np.ndarray) -> list[tuple[Mapping[str, Any], np.ndarray]]:
    """The constants of each of several things that are predicted, with the outputs that belong to it."""
    sizes = [len(head.get("classes", ("a number",))) for head in constants["heads"]]
    return list(zip(constants["heads"], np.split(outputs, np.cumsum(sizes)[:-1], axis=1), strict=True))


def probabilities(constants: Mapping[str, Any], outputs: np.ndarray) -> Any:
    """Of classes (N, classes) those that add up to 1, of labels (N, labels) one each; float64.

    Of several things at once a mapping from the names of those that are classes.
    """
    if "heads" in constants:
        return {
            head["name"]: probabilities(head, part) for head, part in heads(constants, outputs) if "classes" in head
        }
    values = outputs.astype(np.float64)
    if "labels" in constants:
        return np.asarray(1 / (1 + np.exp(-values.clip(-500, 500))))
    if "classes" not in constants:
        raise InputError("a network that predicts numbers has no probabilities")
    weights = np.exp(values - values.max(1, keepdims=True))
    return np.asarray(weights / weights.sum(1, keepdims=True))


def decode(constants: Mapping[str, Any], outputs: np.ndarray) -> Any:
    """Labels as they were given, (N, K) of 0 and 1 for several at once, or numbers in the target's own unit.

    Of several things at once a mapping from their names.
    """
    if "heads" in constants:
        return {head["name"]: decode(head, part) for head, part in heads(constants, outputs)}
    if "labels" in constants:
        return np.asarray(outputs > 0, dtype=np.int64)
    if "classes" in constants:
        named: np.ndarray = np.asarray(constants["classes"])[outputs.argmax(1)]
        return named
    return np.asarray(outputs.reshape(len(outputs)).astype(np.float64) * constants["std"] + constants["mean"])
