"""scikit-learn's scorers by their names, computed from the outputs of a network.

A trial reports them on its validation data as ``val_<name>`` beside the metrics of its goal; more is always better.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from netwright.errors import DataError, InputError
from netwright.training.metrics import SCORERS

Array = np.ndarray[Any, Any]


def scorers_of(task: str, metrics: Any) -> tuple[str, ...]:
    """The scorers among the names of metrics, without their ``val_``; InputError for one of another goal."""
    known = {name for names in SCORERS.values() for name in names}
    found = tuple(str(name)[4:] for name in metrics if str(name).startswith("val_") and str(name)[4:] in known)
    for name in found:
        if name not in SCORERS.get(task, ()):
            goals = " and ".join(goal for goal in SCORERS if name in SCORERS[goal])
            raise InputError(f"the metric '{name}' is for {goals}, and the goal is {task}")
    return found


def score_by(name: str, outputs: Array, targets: Array, task: str) -> float:
    """The score of outputs (N, classes) for codes of classes, or of numbers (N,) in the targets' unit.

    ``decision_function`` is what scorers of rankings ask of two classes: the difference of their outputs. Raises
    DataError where scikit-learn cannot compute it, as where a class has no row.
    """
    from sklearn.metrics import get_scorer

    values = np.asarray(outputs, dtype=np.float64)
    values = values if task == "classification" else values.reshape(np.shape(targets))
    answers = _classifier(values) if task == "classification" else _regressor(values)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            score = float(get_scorer(name)(answers, values, targets))
    except ValueError as error:
        raise DataError(f"the metric '{name}' cannot be computed: {' '.join(str(error).split())}") from None
    if not np.isfinite(score):
        raise DataError(f"the metric '{name}' cannot be computed: it is {score}")
    return score


def check_scorers(names: tuple[str, ...], targets: Array, outputs: int, task: str) -> None:
    """Raises DataError, before anything is trained, for a scorer that cannot judge such targets."""
    rng = np.random.default_rng(0)
    shape = (len(targets), outputs) if task == "classification" else (len(targets),)
    for name in names:
        score_by(name, rng.normal(size=shape).astype(np.float32), np.asarray(targets), task)


def _classifier(outputs: Array) -> Any:
    """Outputs for classes as an estimator that answers with them."""
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Answers(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        classes_ = np.arange(outputs.shape[1])

        def __sklearn_is_fitted__(self) -> bool:
            return True

        def predict(self, X: Any) -> Any:
            return outputs.argmax(1)

        def predict_proba(self, X: Any) -> Any:
            weights = np.exp(outputs - outputs.max(1, keepdims=True))
            return weights / weights.sum(1, keepdims=True)

        def decision_function(self, X: Any) -> Any:
            return outputs[:, 1] - outputs[:, 0] if outputs.shape[1] == 2 else outputs

    return Answers()


def _regressor(outputs: Array) -> Any:
    """Outputs for numbers as an estimator that answers with them."""
    from sklearn.base import BaseEstimator, RegressorMixin

    class Answers(RegressorMixin, BaseEstimator):  # type: ignore[misc]
        def __sklearn_is_fitted__(self) -> bool:
            return True

        def predict(self, X: Any) -> Any:
            return outputs

    return Answers()
