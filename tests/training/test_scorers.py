"""scikit-learn's scorers on the outputs of networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics
from sklearn.metrics import get_scorer_names

from netwright.errors import DataError, InputError
from netwright.evaluators import Train
from netwright.testing.toy import plane
from netwright.training import Data, split
from netwright.training.metrics import SCORERS, direction
from netwright.training.scorers import score_by, scorers_of

RNG = np.random.default_rng(3)
CODES = np.arange(60) % 3
SCORES = RNG.normal(size=(60, 3)).astype(np.float32) + np.eye(3)[CODES]


def chances(outputs: np.ndarray) -> Any:
    weights = np.exp(outputs.astype(np.float64))
    return weights / weights.sum(1, keepdims=True)


def test_all_are_scorers_of_scikit_learn() -> None:
    """Each name is known there, and more of it is better."""
    names = {name for some in SCORERS.values() for name in some}
    assert names <= set(get_scorer_names())
    assert {direction(f"val_{name}") for name in names} == {"maximize"}


@pytest.mark.parametrize(
    ("name", "score"),
    [
        ("f1_macro", metrics.f1_score(CODES, SCORES.argmax(1), average="macro")),
        ("balanced_accuracy", metrics.balanced_accuracy_score(CODES, SCORES.argmax(1))),
        ("neg_log_loss", -metrics.log_loss(CODES, chances(SCORES))),
        ("roc_auc_ovr", metrics.roc_auc_score(CODES, chances(SCORES), multi_class="ovr")),
    ],
)
def test_classes(name: str, score: float) -> None:
    """The score is that of scikit-learn's own function on probabilities or the likeliest class."""
    assert score_by(name, SCORES, CODES, "classification") == pytest.approx(score)


def test_two_classes() -> None:
    """Rankings go by the difference of the outputs; the second class is the positive one."""
    codes, outputs = CODES % 2, SCORES[:, :2]
    margin = outputs[:, 1] - outputs[:, 0]
    assert score_by("roc_auc", outputs, codes, "classification") == metrics.roc_auc_score(codes, margin)
    assert score_by("f1", outputs, codes, "classification") == metrics.f1_score(codes, outputs.argmax(1))


def test_numbers() -> None:
    """The error of a column of outputs, negative."""
    truth = RNG.normal(size=40)
    outputs = (truth + 0.5)[:, None].astype(np.float32)
    assert score_by("neg_mean_absolute_error", outputs, truth, "regression") == pytest.approx(-0.5)


def test_what_cannot_be_computed_is_told() -> None:
    """One line with the name: a scorer of another goal, and one that the classes do not allow."""
    with pytest.raises(InputError, match="the metric 'roc_auc' is for classification, and the goal is regression"):
        scorers_of("regression", ["val_r2", "val_roc_auc"])
    with pytest.raises(DataError, match="the metric 'f1' cannot be computed: Target is multiclass"):
        score_by("f1", SCORES, CODES, "classification")


def test_a_trial_reports_it() -> None:
    """Train answers with the scorer's value beside the metrics of the goal, and refuses what it does not know."""
    X, y = plane(80)
    data = Data(X, (y > 0).astype(np.int64), classes=("no", "yes"))
    parts = split(data.y, 0)
    train = Train(data, split=parts, epochs=1, scorers=("roc_auc",))
    assert train.metrics["val_roc_auc"] == "maximize"
    with pytest.raises(InputError, match="no scorer is called 'rocauc'"):
        Train(data, split=parts, scorers=("rocauc",))
