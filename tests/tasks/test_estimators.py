"""The estimators behave as scikit-learn's do."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from tests.tasks.conftest import hurry
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset

import netwright as nw
from netwright.errors import DataError, InputError
from netwright.tasks.fitting import seed_of
from netwright.tasks.labels import read_labels
from netwright.tasks.readers import from_arrays
from netwright.tasks.tables import from_frame
from netwright.testing.toy import blobs, plane
from netwright.training import split


def table(rows: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Two classes by name."""
    X, y = plane(rows)
    return X, np.where(y > 0, "warm", "cold")


@pytest.fixture(scope="module")
def fitted() -> nw.TabularClassifier:
    """A classifier of a table."""
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        return nw.TabularClassifier(max_trials=3, n_jobs=1).fit(*table(120))


@pytest.fixture(scope="module")
def images() -> nw.NeuralArchitectureSearch:
    """The general estimator, on images."""
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        return nw.NeuralArchitectureSearch(max_trials=2, n_jobs=1).fit(*blobs(96))


def test_parameters() -> None:
    """``get_params``, ``set_params`` and ``clone`` see what was given, unchanged."""
    limits = {"params": 1e4}
    search = nw.TabularClassifier(max_trials=3, constraints=limits, random_state=7)
    assert search.get_params()["constraints"] is limits
    assert search.set_params(max_trials=5) is search
    copy = clone(search)
    assert type(copy) is nw.TabularClassifier
    assert copy.get_params() == search.get_params()
    assert copy.max_trials == 5


def test_kinds() -> None:
    """scikit-learn tells classifiers from regressors."""
    assert is_classifier(nw.TabularClassifier())
    assert is_classifier(nw.ImageClassifier())
    assert is_regressor(nw.TabularRegressor())


@pytest.mark.parametrize("call", ["predict", "predict_proba"])
def test_not_fitted(call: str) -> None:
    """Before ``fit`` there is nothing to ask."""
    with pytest.raises(NotFittedError, match="not fitted"):
        getattr(nw.TabularClassifier(), call)(np.zeros((1, 4)))


def test_fit_gives_itself_and_learned_names(fitted: nw.TabularClassifier) -> None:
    """Classes are as they were given; the learned names end in an underscore."""
    assert isinstance(fitted, nw.TabularClassifier)
    assert fitted.classes_.tolist() == ["cold", "warm"]
    assert fitted.n_features_in_ == 4
    assert fitted.best_.number == fitted.study_.best.number
    scores = [trial["metrics"]["val_accuracy"] for trial in fitted.leaderboard_]
    assert scores == sorted(scores, reverse=True)
    assert {trial["number"] for trial in fitted.pareto_} <= {0, 1}


def test_answers(fitted: nw.TabularClassifier) -> None:
    """Probabilities add up to one, in the order of ``classes_``; predictions are the likeliest."""
    X, y = table(40)
    chances = fitted.predict_proba(X)
    assert chances.shape == (40, 2)
    np.testing.assert_allclose(chances.sum(1), np.ones(40))
    np.testing.assert_array_equal(fitted.classes_[chances.argmax(1)], fitted.predict(X))
    assert fitted.score(X, y) == np.mean(fitted.predict(X) == y)
    assert fitted.score(X, y) > 0.7


def test_the_score_that_is_told(fitted: nw.TabularClassifier) -> None:
    """It is that of the held-out rows, which the network that is handed over has with its first seed."""
    X, y = table(120)
    held_out = split(np.unique(y, return_inverse=True)[1], 0).test
    winner = fitted.study_.winner
    assert winner.examples[0].mean() == fitted.score(X[held_out], y[held_out])
    assert winner.score == winner.examples.mean()


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.full((2, 4), np.nan), "NaN"),
        (np.full((2, 4), np.inf), "infinity"),
        (np.zeros((2, 5)), "X has 5 features, but .* is expecting 4 features"),
        (np.zeros(4), r"Expected 2D array.*Reshape your data"),
        ([["a", "b", "c", "d"]], "expected numbers as in training"),
    ],
)
def test_predict_refuses(fitted: nw.TabularClassifier, X: Any, message: str) -> None:
    """What no network can take is a ValueError of one line."""
    with pytest.raises(ValueError, match=message) as caught:
        fitted.predict(X)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.full((20, 4), np.nan), [0, 1] * 10, r"Input X contains NaN"),
        (np.zeros((20, 4)), [0] * 20, "one class"),
        (np.zeros((20, 4)), [0, 1] * 9, "X has 20 rows and y has 18 values"),
        (np.zeros((20, 4)), [0, np.nan] * 10, "y contains NaN"),
        (np.zeros((20, 4)), np.linspace(0, 1, 20), "Unknown label type"),
        (np.zeros((0, 4)), [], "0 sample"),
        (np.zeros((20, 4)), None, "requires y to be passed"),
    ],
)
def test_fit_refuses(X: Any, y: Any, message: str, tmp_path: Path) -> None:
    """Nothing is begun with data that cannot be learned from."""
    with pytest.raises(ValueError, match=message) as caught:
        nw.TabularClassifier(max_trials=1, out=tmp_path / "run").fit(X, y)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_arguments_are_refused_by_name(tmp_path: Path) -> None:
    """An unknown way of an objective says what is known."""
    search = nw.TabularClassifier(objectives={"macs": "low"}, out=tmp_path / "run")
    with pytest.raises(InputError, match="'maximize' or 'minimize', found 'low'"):
        search.fit(*table())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("state", [-1, 1.5, True, "one"])
def test_random_state_is_a_whole_number(tmp_path: Path, state: Any) -> None:
    """Nothing is begun with a seed that is none."""
    with pytest.raises(InputError, match=f"random_state is a whole number from 0 on or None, found {state!r}"):
        nw.TabularClassifier(random_state=state, out=tmp_path / "run").fit(*table())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", [np.random.RandomState, np.random.default_rng])
def test_random_state_may_be_a_generator(make: Callable[[int], Any]) -> None:
    """A number is drawn from it: the same from one that begins alike, another the next time."""
    state = make(3)
    first, second = seed_of(state), seed_of(state)
    assert first == seed_of(make(3)) != second
    assert type(first) is int


@pytest.mark.parametrize("name", ["m.tflite", "m.pt", "m.PT2"])
def test_export_refuses_unknown_names(fitted: nw.TabularClassifier, tmp_path: Path, name: str) -> None:
    """A name that ends like no format there is makes no folder of that name."""
    with pytest.raises(InputError, match=r"cannot be exported to '\.\w+' .*\.pt2 file .* folder without a suffix"):
        fitted.export(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_study_that_is_gone(fitted: nw.TabularClassifier, tmp_path: Path) -> None:
    """What is read from it says how it is kept; predictions go on."""
    alone = copy.copy(fitted)
    alone.out_ = tmp_path / "gone"
    assert len(alone.predict(table()[0])) == 60
    for read in (lambda: alone.export(tmp_path / "m.pt2"), lambda: alone.leaderboard_, lambda: alone.pareto_):
        with pytest.raises(InputError, match=r"temporary folder, .*gone, which is gone\. Give out= to the estimator"):
            read()


class LazyFrame:
    """What is asked of a lazy frame of polars."""

    def __init__(self, frame: Any) -> None:
        self.collect = lambda: frame


LazyFrame.__module__ = "polars.lazyframe.frame"


@pytest.mark.usefixtures("quick")
def test_lazy_frames_are_collected() -> None:
    """Those of examples and of targets, in fit, predict, score and in a search."""
    pandas = pytest.importorskip("pandas")
    X, y = table(80)
    frame, target = pandas.DataFrame(X, columns=list("abcd")), pandas.DataFrame({"kind": y})
    lazy, lazy_target = LazyFrame(frame), LazyFrame(target["kind"])
    search = nw.TabularClassifier(max_trials=1, n_jobs=1, strategy="random").fit(lazy, lazy_target, (lazy, lazy_target))
    assert list("abcd") == list(search.feature_names_in_)
    assert search.predict(frame).tolist() == search.predict(lazy).tolist()
    assert search.score(frame, y) == search.score(lazy, lazy_target)
    loaded = from_arrays(lazy, lazy_target, X_test=lazy, y_test=LazyFrame(target))
    assert ("a", "b", "c", "d") == loaded.raw.X.names
    assert y.tolist() == read_labels(lazy_target, rows=80, goal=None).classes[loaded.raw.labels.y].tolist()
    assert ("a", "b", "c", "d") == from_frame(lazy).names


@pytest.mark.usefixtures("quick")
def test_columns_of_a_data_frame() -> None:
    """They are counted as they were given, categories too, and known by name; a metric to minimise sorts upwards."""
    pandas = pytest.importorskip("pandas")
    X, y = table(80)
    frame = pandas.DataFrame(X, columns=list("abcd")).assign(e=np.where(np.arange(80) % 3 == 0, "x", "y"))
    search = nw.TabularClassifier(max_trials=3, n_jobs=1, metric="val_loss", strategy="random").fit(frame, y)
    assert search.n_features_in_ == 5
    assert search.feature_names_in_.tolist() == list("abcde")
    losses = [trial["metrics"]["val_loss"] for trial in search.leaderboard_]
    assert losses == sorted(losses)
    assert search.leaderboard_[0]["number"] == search.best_.number
    search.set_params(max_trials=1).fit(X, y)
    assert search.n_features_in_ == 4
    assert not hasattr(search, "feature_names_in_")


def test_images(images: nw.NeuralArchitectureSearch, tmp_path: Path) -> None:
    """(N, H, W) is the same as (N, 1, H, W); the network is plain torch and is written as source."""
    X, y = blobs(30, seed=1)
    assert images.n_features_in_ == 36
    assert images.score(X, y) > 0.8
    np.testing.assert_allclose(images.predict_proba(X), images.predict_proba(X[:, 0]), atol=1e-6)
    assert not any(type(module).__module__.startswith("netwright.s") for module in images.network_.modules())
    assert (images.export(tmp_path / "source") / "model.py").is_file()


@pytest.mark.usefixtures("quick")
def test_a_pipeline_of_numbers(tmp_path: Path) -> None:
    """As the last step of a pipeline; ``score`` is R², and there are no probabilities."""
    X, y = plane(160)
    y = 1000 + 50 * y
    pipeline = make_pipeline(StandardScaler(), nw.TabularRegressor(max_trials=1, n_jobs=1, out=tmp_path / "run"))
    assert pipeline.fit(X, y) is pipeline
    assert pipeline.score(X, y) == pytest.approx(r2_score(y, pipeline.predict(X)))
    assert abs(pipeline.predict(X).mean() - 1000) < 40
    assert not hasattr(pipeline[-1], "classes_")
    held_out = split(y, 0, stratify=False).test
    told = pipeline[-1].study_.winner.examples[0].mean()
    assert told == pytest.approx(pipeline.score(X[held_out], y[held_out]), abs=1e-4)
    assert not hasattr(pipeline, "predict_proba")


CHECKS = [
    estimator_checks.check_no_attributes_set_in_init,
    estimator_checks.check_parameters_default_constructible,
    estimator_checks.check_estimators_unfitted,
    estimator_checks.check_estimators_nan_inf,
    estimator_checks.check_classifiers_one_label,
    estimator_checks.check_estimators_empty_data_messages,
    estimator_checks.check_fit2d_1sample,
    estimator_checks.check_fit2d_1feature,
    estimator_checks.check_fit1d,
    estimator_checks.check_complex_data,
    estimator_checks.check_dtype_object,
    estimator_checks.check_supervised_y_no_nan,
    estimator_checks.check_requires_y_none,
    estimator_checks.check_classifiers_regression_target,
    estimator_checks.check_readonly_memmap_input,
]


@pytest.mark.usefixtures("quick")
@pytest.mark.filterwarnings("ignore::UserWarning:sklearn")
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_checks_of_scikit_learn(check: Callable[[str, Any], None]) -> None:
    """Its own conformance suite, as far as data go."""
    check("TabularClassifier", nw.TabularClassifier(max_trials=1, n_jobs=1, strategy="random"))


@pytest.mark.usefixtures("quick")
def test_numbers_from_images() -> None:
    """In the target's own unit."""
    X, _ = blobs(96)
    y = 100.0 + X.mean(axis=tuple(range(1, X.ndim)))
    search = nw.ImageRegressor(max_trials=1, n_jobs=1).fit(X, y)
    assert (96,) == search.predict(X).shape
    assert abs(search.predict(X).mean() - 100) < 5


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("form", ["matrix", "collections"])
def test_several_labels(form: str) -> None:
    """A classifier takes a matrix of 0 and 1, or a collection of labels for each row."""
    X, y = plane(120)
    warm, high = y > 0, X[:, 0] > 0
    matrix = np.column_stack([high, warm]).astype(int)
    named = [{name for name, there in (("high", a), ("warm", b)) if there} for a, b in matrix]
    # The first trial is a known-good start: six epochs are enough for it.
    search = nw.TabularClassifier(max_trials=1, n_jobs=1).fit(X, matrix if form == "matrix" else named)
    assert (120, 2) == search.predict(X).shape
    assert {0, 1} == set(search.predict(X).ravel().tolist())
    assert (120, 2) == search.predict_proba(X).shape
    assert 0.6 < search.score(X, matrix)


@pytest.mark.usefixtures("quick")
def test_the_score_of_several_labels_is_that_of_the_report() -> None:
    """The accuracy of labels, one by one, of every estimator and of labels in any form; weights count rows."""
    X, y = plane(120)
    matrix = np.column_stack([X[:, 0] > 0, y > 0]).astype(int)
    sets = [{name for name, there in zip(("high", "warm"), row, strict=True) if there} for row in matrix]
    frame = pd.DataFrame({"warm": matrix[:, 1], "high": matrix[:, 0]})
    mine, any_task = (
        made(max_trials=1, n_jobs=1, strategy="random").fit(X[:80], sets[:80], (X[80:], frame[80:]))
        for made in (
            nw.TabularClassifier,
            lambda **options: nw.NeuralArchitectureSearch(task="table-multilabel", **options),
        )
    )
    right = mine.predict(X[80:]) == matrix[80:]
    assert right.all(1).mean() != right.mean()
    assert (1000, 1001) == mine.study_.winner.seeds
    for search in (mine, any_task):
        scores = [search.score(X[80:], form) for form in (matrix[80:], sets[80:], frame[80:])]
        assert [pytest.approx(right.mean())] * 3 == scores
    weights = np.arange(40)
    assert (right.mean(1) @ weights) / weights.sum() == pytest.approx(mine.score(X[80:], sets[80:], weights))
    assert f"{mine.study_.winner.examples[0].mean():.6f}" == f"{right.mean():.6f}"
    with pytest.raises(DataError, match=r"y\[0\] has 'cold', a label that the training part has not"):
        mine.score(X[:1], [{"cold"}])


def test_regression_has_no_probabilities() -> None:
    """As scikit-learn's regressors: the method is not there, and says why where it is asked for."""
    regressors = (nw.TabularRegressor, nw.ImageRegressor, nw.TimeSeriesRegressor, nw.TextRegressor)
    assert not any(hasattr(each(), "predict_proba") for each in regressors)
    assert all(hasattr(each(), "predict_proba") for each in (nw.TabularClassifier, nw.NeuralArchitectureSearch))
    with pytest.raises(AttributeError, match="predict_proba") as caught:
        nw.TabularRegressor().predict_proba([[1.0]])
    assert "this network predicts numbers" in str(caught.value.__cause__)


@pytest.mark.usefixtures("quick")
def test_data_in_a_file(tmp_path: Path) -> None:
    """A path and the name of a column are as good as arrays, for fit and for predict."""
    pandas = pytest.importorskip("pandas")
    X, y = plane(80)
    frame = pandas.DataFrame(X, columns=["a", "b", "c", "d"][: X.shape[1]]).assign(kind=np.where(y > 0, "yes", "no"))
    frame.to_csv(tmp_path / "rows.csv.gz", index=False)
    search = nw.TabularClassifier(max_trials=1, n_jobs=1).fit(tmp_path / "rows.csv.gz", "kind")
    assert list(search.classes_) == ["no", "yes"]
    rows = frame.drop(columns="kind")
    np.testing.assert_array_equal(search.predict(str(tmp_path / "rows.csv.gz")), search.predict(rows))
    with pytest.raises(InputError, match="of a file or folder y is the name of a column, found ndarray"):
        nw.TabularClassifier().fit(tmp_path / "rows.csv.gz", y)
    with pytest.raises(DataError, match="has no column 'knd'"):
        nw.TabularClassifier().fit(tmp_path / "rows.csv.gz", "knd")


@pytest.mark.usefixtures("quick")
def test_a_data_set_of_torch() -> None:
    """Pairs of an example and its class; to predict, with or without their classes."""
    X, y = blobs(64)
    pairs = TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
    search = nw.ImageClassifier(max_trials=1, n_jobs=1).fit(pairs, eval_set=Subset(pairs, range(20)))
    assert search.study_.winner.examples.shape[1] == 20
    np.testing.assert_array_equal(search.predict(pairs), search.predict(X))

    class Bare(Dataset):
        def __len__(self):
            return 5

        def __getitem__(self, place):
            return X[place]

    np.testing.assert_array_equal(search.predict(Bare()), search.predict(X[:5]))
    with pytest.raises(InputError, match="the targets are those of the data set"):
        nw.ImageClassifier().fit(pairs, y)

    class Endless(IterableDataset):
        def __iter__(self):
            yield from ()

    with pytest.raises(InputError, match="a data set that cannot be counted"):
        nw.ImageClassifier().fit(Endless())


@pytest.mark.parametrize(
    ("kind", "own"),
    [
        (nw.AudioClassifier, {"rate": 8000}),
        (nw.TextClassifier, {"tokens": "bpe"}),
        (nw.TextRegressor, {"tokens": "bpe"}),
        (nw.TimeSeriesForecaster, {"horizon": 3, "season": 7}),
    ],
)
def test_parameters_of_all_and_of_its_own(kind: Any, own: dict[str, Any]) -> None:
    """Who has some of its own has those of every search, too, and keeps both when it is copied."""
    common = {"ensemble": 3, "dry_run": True, "class_weight": "balanced", "preset": "tiny"}
    search = kind(**own, **common)
    copy = clone(search)
    assert copy.get_params().keys() >= nw.TabularClassifier().get_params().keys() | own.keys()
    assert {name: getattr(copy, name) for name in (*own, *common)} == {**own, **common}
    assert "ensemble=3" in repr(copy)
    assert set(inspect.signature(kind).parameters) == search.get_params().keys()
    with pytest.raises(TypeError, match=rf"{kind.__name__} has no parameter 'ensembel': did you mean 'ensemble'\?"):
        kind(ensembel=3)


@pytest.mark.usefixtures("quick")
def test_a_second_fit_forgets_the_names_of_the_first(tmp_path: Path) -> None:
    """Of a file, too."""
    X, y = plane(60)
    names = [f"f{place}" for place in range(X.shape[1])]
    frame = pd.DataFrame(X, columns=names).assign(kind=np.where(y > 0, "yes", "no"))
    frame.to_csv(tmp_path / "rows.csv", index=False)
    search = nw.TabularClassifier(max_trials=1, n_jobs=1).fit(frame[names], frame["kind"])
    assert list(search.feature_names_in_) == names
    search.fit(tmp_path / "rows.csv", "kind")
    assert not hasattr(search, "feature_names_in_")
    assert not hasattr(search, "n_features_in_")
