"""What estimators take beside data: metrics by scikit-learn's names, weights, presets, callbacks; and its tools."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.class_weight import compute_sample_weight

import netwright as nw
from netwright.errors import DataError, DataWarning, InputError
from netwright.tasks.fitting import pair_of
from netwright.tasks.job import resume, so_far
from netwright.tasks.labels import balanced, read_labels
from netwright.tasks.prediction import Predictor
from netwright.tasks.presets import PRESETS, limits
from netwright.testing.toy import plane

SMALL: dict[str, Any] = {"max_trials": 1, "n_jobs": 1, "strategy": "random"}


def table(rows: int = 80) -> tuple[np.ndarray, np.ndarray]:
    X, y = plane(rows)
    return X, np.where(y > 0.4, "warm", "cold")


@pytest.mark.usefixtures("quick")
def test_a_metric_by_the_name_of_a_scorer() -> None:
    """Trials report it, the best has the most of it, and the outcome tells it of the test rows."""
    X, y = table(160)
    search = nw.TabularClassifier(metric="roc_auc", max_trials=3, n_jobs=1, strategy="random").fit(
        X[:120], y[:120], (X[120:], y[120:])
    )
    scores = [trial["metrics"]["val_roc_auc"] for trial in search.leaderboard_]
    assert scores == sorted(scores, reverse=True)
    told = search.study_.winner.named["roc_auc"]
    assert 0.5 < told <= 1
    assert f"roc_auc       {told:.4f} (baseline " in search.study_.text()
    assert roc_auc_score(y[120:] == "warm", search.predict_proba(X[120:])[:, 1]) == pytest.approx(told, abs=0.1)


@pytest.mark.usefixtures("quick")
def test_a_scorer_that_the_test_rows_cannot_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where they are of one class the outcome says so and why, also that of a search that was stopped."""
    X, y = table(160)
    cold = np.flatnonzero(y == "cold")[:20]
    search = nw.TabularClassifier(metric="roc_auc", out=tmp_path / "a", **SMALL).fit(X, y, (X[cold], y[cold]))
    assert {} == search.study_.winner.named
    expected = r"the test data do not tell it: the metric 'roc_auc' cannot be computed: .*"
    (warning,) = search.study_.warnings
    assert re.fullmatch(expected, warning)
    assert f"warning       {warning}" in search.study_.text().splitlines()
    assert (warning,) == resume(tmp_path / "a").warnings == so_far(tmp_path / "a").warnings


@pytest.mark.usefixtures("quick")
def test_a_scorer_of_a_search_that_was_stopped(tmp_path: Path) -> None:
    """It is told of the test rows as that of one that went to its end, of what the network answers now."""
    X, y = table(160)
    search = nw.TabularClassifier(metric="roc_auc", out=tmp_path / "a", **SMALL).fit(
        X[:120], y[:120], (X[120:], y[120:])
    )
    outcome = so_far(tmp_path / "a")
    search._predictor = Predictor.open(tmp_path / "a")
    assert roc_auc_score(y[120:] == "warm", search.predict_proba(X[120:])[:, 1]) == pytest.approx(
        outcome.winner.named["roc_auc"]
    )


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("roc_au", r"unknown metric 'roc_au'\. Did you mean 'roc_auc'"),
        (
            "nonsense",
            "unknown metric 'nonsense'. Known: accuracy, activations, .*, roc_auc_ovr_weighted, size_mb$",
        ),
        ("neg_max_error", "the metric 'neg_max_error' is for regression, and the goal is classification"),
    ],
)
def test_metrics_are_refused_by_name(metric: str, message: str) -> None:
    """Nothing is begun."""
    with pytest.raises(InputError, match=message):
        nw.TabularClassifier(metric=metric, **SMALL).fit(*table())


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"callbacks": [len, 3]}, r"callbacks\[1\] is a function f\(study, trial\), found 3"),
        ({"callbacks": print}, r"callbacks are a list of functions f\(study, trial\), found <built-in function print>"),
        ({"metric": len}, "metric is a name, found <built-in function len>. Name one"),
        ({"metric": ["accuracy"]}, r"metric is a name, found \['accuracy'\]"),
        ({"objectives": ["params"]}, r"objectives map metrics to 'maximize' or 'minimize', found \['params'\]"),
        ({"objectives": "params"}, "objectives map metrics to 'maximize' or 'minimize', found 'params'"),
        ({"objectives": {3: "minimize"}}, r"objectives map metrics .*, found \{3: 'minimize'\}"),
        ({"constraints": ["params"]}, r"constraints map names of metrics to numbers, found \['params'\]"),
        ({"constraints": "params<3"}, "constraints map names of metrics to numbers, found 'params<3'"),
        ({"constraints": {3: 4}}, r"constraints map names of metrics to numbers, found \{3: 4\}"),
        ({"out": 3}, "out is the path of a folder or None, found 3"),
        ({"out": b"a"}, "out is the path of a folder or None, found b'a'"),
    ],
)
def test_arguments_of_a_wrong_type(options: dict[str, Any], message: str) -> None:
    """Nothing is begun."""
    with pytest.raises(InputError, match=message):
        nw.TabularClassifier(**SMALL, **options).fit(*table())


X, Y = np.zeros((20, 2)), np.arange(20) % 2


@pytest.mark.parametrize(
    ("eval_set", "found"),
    [
        (pd.DataFrame(X), "found a DataFrame"),
        (X, "found a ndarray"),
        ({"X": X, "y": Y}, "found a dict"),
        ((X, Y, Y), "found a tuple of 3"),
        ([X], "found a list of 1"),
    ],
)
def test_an_eval_set_is_a_pair(eval_set: Any, found: str, tmp_path: Path) -> None:
    """Anything else is refused by its type, before anything is begun."""
    with pytest.raises(InputError, match=rf"eval_set is a pair of .*, {found}\. Give eval_set=\(X, y\)"):
        nw.TabularClassifier(**SMALL, out=tmp_path / "run").fit(X, Y, eval_set)
    assert list(tmp_path.iterdir()) == []


def test_a_list_of_one_pair_is_the_pair() -> None:
    """Others take lists of pairs; of two none would be judged on."""
    for eval_set in ((X, Y), [X, Y], [(X, Y)], [[X, Y]]):
        assert pair_of(eval_set)[0] is X
        assert pair_of(eval_set)[1] is Y
    assert (["a", "b"], ("u", "v")) == pair_of([["a", "b"], ("u", "v")])
    with pytest.raises(InputError, match="eval_set holds 2 pairs, one is judged on"):
        pair_of([(X, Y), (X, Y)])


def test_columns_of_an_eval_set_are_named() -> None:
    """Those that are missing, and those that are new."""
    frame = pd.DataFrame(X, columns=["a", "b"])
    with pytest.raises(DataError, match=r"eval_set of an estimator.*: missing is 'a'; new is 'z'"):
        nw.TabularClassifier(**SMALL).fit(frame, Y, (frame.rename(columns={"a": "z"}), Y))


def test_callbacks_are_looked_at_before_the_data() -> None:
    """Reading and preparing may take minutes."""
    with pytest.raises(InputError, match=r"callbacks\[0\] is a function f\(study, trial\), found tell"):
        nw.TabularClassifier(callbacks=["tell"], **SMALL).fit("no/such/file.csv", "y")


@pytest.mark.usefixtures("quick")
def test_what_is_odd_in_the_data_is_warned_of() -> None:
    """By a warning of the line that fits, for a notebook has no other place for it."""
    X, y = table()
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "leak": (y == "warm").astype(int), "one": 1})
    with pytest.warns(DataWarning) as found:
        search = nw.TabularClassifier(**SMALL).fit(frame, y)
    assert [each.filename for each in found] == [__file__, __file__]
    told = [str(each.message) for each in found]
    assert told == [
        "the same as the target in all rows: 'leak' (leave out what is not known beforehand)",
        "the same value in all rows: 'one'",
    ]
    assert search.study_.warnings[:2] == tuple(told)


@pytest.mark.usefixtures("quick")
def test_weights_reach_the_training() -> None:
    """Rows that count nothing say nothing: with those of one class alone weighing, that class is the answer."""
    X, y = table()
    search = nw.TabularClassifier(**{**SMALL, "space": "compact-tables"})
    search.fit(X, y, sample_weight=(y == "cold").astype(float))
    assert set(search.predict(X)) == {"cold"}
    search.set_params(class_weight={"cold": 0.0}).fit(X, y)
    assert set(search.predict(X)) == {"warm"}


@pytest.mark.parametrize(
    ("options", "fitted", "message"),
    [
        ({"class_weight": "even"}, {}, "class_weight is 'balanced' or maps classes to numbers, found 'even'"),
        ({"class_weight": {"hot": 2}}, {}, "class_weight names the class 'hot', which y has not"),
        ({"class_weight": {"cold": -1}}, {}, "class_weight of 'cold' is a number from 0 on, found -1"),
        ({"class_weight": {"cold": "1"}}, {}, "class_weight of 'cold' is a number from 0 on, found '1'"),
        ({"class_weight": {"cold": np.nan}}, {}, "class_weight of 'cold' is a number from 0 on, found nan"),
        ({"class_weight": {"cold": 0, "warm": 0}}, {}, "class_weight is zero for all classes"),
        ({}, {"sample_weight": [1.0]}, "X has 80 rows and sample_weight has 1 values"),
        ({"preset": "fast"}, {}, r"no preset is called 'fast'\. Presets are tiny, quick, balanced, best"),
    ],
)
def test_options_are_refused_in_a_line(options: dict[str, Any], fitted: dict[str, Any], message: str) -> None:
    """What makes no sense is told before anything is trained."""
    with pytest.raises(ValueError, match=message):
        nw.TabularClassifier(**{**SMALL, **options}).fit(*table(), **fitted)


def test_presets_are_limits_where_none_are_given() -> None:
    """A limit of one's own goes before the preset's."""
    assert limits("quick") == (60.0, None)
    assert limits("tiny") == (30.0, 4)
    assert limits("best", max_trials=2) == (None, 2)
    assert limits("best", time_limit="5m") == ("5m", None)
    assert limits(None) == (None, None)
    assert list(PRESETS) == ["tiny", "quick", "balanced", "best"]


@pytest.mark.usefixtures("quick")
def test_callbacks_and_a_dry_run() -> None:
    """A callback sees each trial; a dry run has one, of one epoch, and ends with a network."""
    seen: list[int] = []
    search = nw.TabularClassifier(dry_run=True, n_jobs=1, callbacks=[lambda study, trial: seen.append(trial.number)])
    search.fit(*table())
    assert seen == [0]
    assert search.best_.metrics["epochs"] == 1
    assert search.predict(table()[0]).shape == (80,)


@pytest.mark.usefixtures("quick")
def test_columns_that_are_left_out_are_told() -> None:
    """Names that occur once are no reason to stop."""
    pandas = pytest.importorskip("pandas")
    X, y = table()
    frame = pandas.DataFrame(X).assign(name=[f"n{i}" for i in range(80)])
    with pytest.warns(DataWarning, match="left out: name"):
        outcome = nw.TabularClassifier(**SMALL).fit(frame.rename(columns=str), y).study_
    told = [word for word in outcome.warnings if "most frequent class" not in word]
    assert told == ["left out: name (no value occurs twice, and it is no text)"]


@pytest.mark.usefixtures("quick")
def test_a_network_that_answers_blindly_is_told_of() -> None:
    """What tells nothing of the target is no better than the most frequent class; what tells all of it is."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 3)), np.repeat(["cold", "warm"], 100)
    blind = nw.TabularClassifier(**SMALL).fit(X, rng.permutation(y)).study_
    told = [word for word in blind.warnings if "always answering the most frequent class: accuracy" in word]
    assert (len(told), told[0].endswith("and 0.5000.")) == (1, True)
    seeing = nw.TabularClassifier(**SMALL).fit(np.column_stack([X, (y == "warm") + 0.1 * X[:, 0]]), y).study_
    assert "most frequent" not in " ".join(seeing.warnings)


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_cross_validation_and_a_grid() -> None:
    """scikit-learn's tools clone the estimator and set its parameters."""
    X, y = table(60)
    search = nw.TabularClassifier(**SMALL)
    assert cross_val_score(search, X, y, cv=2).shape == (2,)
    grid = GridSearchCV(clone(search), {"max_trials": [1, 2]}, cv=2, refit=False).fit(X, y)
    assert grid.best_params_["max_trials"] in (1, 2)


def test_balanced_classes_weigh_alike() -> None:
    """As scikit-learn computes them, times what each row counts already; by a mapping those it names."""
    y = np.array(["a"] * 6 + ["b"] * 3 + ["c"] * 3)
    own = np.arange(1.0, 13.0)
    labels = read_labels(y, rows=12, goal=None, weights=own)
    expected = compute_sample_weight("balanced", y) * own
    assert expected == pytest.approx(balanced(labels).weights)
    assert [*own[:6], *(5 * own[6:9]), *own[9:]] == pytest.approx(balanced(labels, {"b": 5.0}).weights)
    # A class that is a number is named by it, or by its text, as a command line has it.
    numbered = read_labels(np.repeat([3, 7], 6), rows=12, goal="classification")
    assert [*[1.0] * 6, *[2.0] * 6] == balanced(numbered, {7: 2}).weights.tolist()
    assert [*[1.0] * 6, *[2.0] * 6] == balanced(numbered, {"7": 2}).weights.tolist()
    with pytest.raises(InputError, match="class_weight names the class 'd', which y has not"):
        balanced(labels, {"d": 1.0})
    with pytest.raises(InputError, match="class_weight is for classes, and the goal is regression"):
        balanced(read_labels(own + 0.5, rows=12, goal=None))
