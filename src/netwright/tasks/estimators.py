"""scikit-learn estimators: three lines from arrays to a network."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from netwright.errors import DataError, InputError
from netwright.tasks import fitting
from netwright.tasks.checks import collected, is_frame, shorten
from netwright.tasks.labels import Labels, code
from netwright.tasks.outcome import Outcome
from netwright.tasks.parameters import named
from netwright.tasks.prediction import Predictor
from netwright.tasks.preprocessing import predictions, probabilities

if TYPE_CHECKING:
    from netwright.costs import Latency, Profile

FORMATS = {".pt2": "torch", ".onnx": "onnx", ".xml": "openvino", ".pte": "executorch", "": "source"}
"""What a network is exported to, by how the name ends."""


def _tells_classes(search: NeuralArchitectureSearch) -> bool:
    """Raises AttributeError for a search whose networks answer with numbers, as far as that is known."""
    regression = isinstance(search, RegressorMixin)
    if hasattr(search, "best_"):
        target = search._predictor.preprocessing["target"]
        regression = not any("classes" in each or "labels" in each for each in (target, *target.get("heads", ())))
    if regression:
        raise AttributeError("predict_proba is for classification; this network predicts numbers")
    return True


class NeuralArchitectureSearch(BaseEstimator):  # type: ignore[misc]
    """Finds, trains and keeps the best network for arrays of images or a table.

    Parameters
    ----------
    time_limit, max_trials:
        Seconds (or ``"10m"``) and number of trials; with neither, ten minutes. The limit includes everything but the
        hand-made baseline, which is trained for comparison.
    preset:
        Both limits by a word, where neither is given: ``"tiny"`` (four trials, half a minute at most), ``"quick"`` (a
        minute), ``"balanced"`` (ten), ``"best"`` (an hour).
    task:
        ``"auto"`` reads it off the data: arrays of three or four dimensions are images, of two a table; strings and
        few whole numbers are classes.
    space, strategy, metric, objectives, constraints:
        As of the command line: ``space`` may also be a network written in the words, ``objectives`` maps further
        metrics to ``"maximize"`` or ``"minimize"``. ``metric`` may also be the name of one of scikit-learn's scorers,
        such as ``"roc_auc"``, ``"f1_macro"``, ``"neg_mean_absolute_error"``.
    class_weight:
        How much each class counts in training: a mapping, or ``"balanced"``, by which all classes count alike.
    callbacks:
        Functions ``f(study, trial)``, called after each trial.
    dry_run:
        One trial of one epoch, and all that follows it: to see that everything works.
    ensemble:
        As many of the finalists are averaged at most (Caruana et al. 2004), and the estimator predicts with all of
        them; 0 makes none.
    start_from:
        The folder of another study of such data: its best architectures are tried first, its ranking is begun with, and
        trials begin from its weights where tensors are alike.
    start_weights:
        False takes no weights from ``start_from``.
    n_jobs:
        Worker processes; None and -1 are one a core.
    random_state:
        Fixes the split, the search and the training: a whole number, None (as 0), or a generator of NumPy, from which
        a number is drawn.
    device, on:
        Where networks train; and where ``latency_ms`` is from, if it is asked for: a runtime of this host, such as
        ``"torch:2"``, or a profile, or its file.
    out:
        The folder of the study; None keeps it in a temporary one as long as the estimator lives.

    After :meth:`fit`: ``best_`` (the trial), ``study_`` (the :class:`~netwright.tasks.outcome.Outcome`),
    ``leaderboard_`` (trials by score), ``pareto_``, ``network_``, ``classes_``, ``n_features_in_`` (numbers or
    columns a row) and, of a data frame whose columns are named by strings, ``feature_names_in_``.
    """

    feature_names_in_: np.ndarray
    _needs_y = True
    _by_shape = False
    """Whether a row has as many features as an input of the network has numbers: series, sounds."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        owners = [each for each in cls.__mro__ if "__init__" in vars(each)]
        # A constructor may be that of a mixin, too, which is no search itself.
        if owners[0] is cls or not issubclass(owners[0], NeuralArchitectureSearch):
            cls.__init__ = named(*(vars(each)["__init__"] for each in owners))  # type: ignore[method-assign]

    @named
    def __init__(
        self,
        *,
        time_limit: float | str | None = None,
        max_trials: int | None = None,
        task: str = "auto",
        space: Any = None,
        strategy: Any = "auto",
        metric: str | None = None,
        objectives: Mapping[str, str] | None = None,
        constraints: Mapping[str, float] | None = None,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | np.random.Generator | None = 0,
        device: str = "auto",
        on: str | Latency | Profile | None = None,
        out: str | Path | None = None,
        preset: str | None = None,
        class_weight: Any = None,
        callbacks: Sequence[Any] | None = None,
        dry_run: bool = False,
        ensemble: int = 0,
        start_from: str | Path | None = None,
        start_weights: bool = True,
    ) -> None:
        self.time_limit = time_limit
        self.max_trials = max_trials
        self.task = task
        self.space = space
        self.strategy = strategy
        self.metric = metric
        self.objectives = objectives
        self.constraints = constraints
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.device = device
        self.on = on
        self.out = out
        self.preset = preset
        self.class_weight = class_weight
        self.callbacks = callbacks
        self.dry_run = dry_run
        self.ensemble = ensemble
        self.start_from = start_from
        self.start_weights = start_weights

    def fit(
        self, X: Any, y: Any = None, eval_set: Any = None, *, sample_weight: Any = None
    ) -> NeuralArchitectureSearch:
        """Searches, and returns itself.

        ``X``: images (N, H, W), (N, C, H, W) or (N, H, W, C), or a table (N, F), array or data frame. ``y``: N labels
        or numbers. ``eval_set`` is a held-out test part ``(X, y)`` to judge on, or a list of one; else a fifth of the
        data is held out. ``sample_weight`` says how much each row counts in training; scores count all alike.

        ``X`` may also be the path of a file or a folder, as the command line takes it; ``y`` is then the name of the
        column to predict, where there are columns. Or it is a ``torch.utils.data.Dataset`` of pairs, without ``y``, and
        so may ``eval_set`` be.
        """
        X, y = collected(X), collected(y)
        path = fitting.is_path(X)
        if path and not (y is None or isinstance(y, str)):
            raise InputError(
                f"X is the path {shorten(os.fspath(X))}, and of a file or folder y is the name of a column, found "
                f"{type(y).__name__}",
                hint=None if os.path.exists(X) else "There is no such file; rows in memory are a list or an array",
            )
        if path and eval_set is not None:
            raise InputError("an eval_set is for arrays", hint="A folder may have its own: train and test inside")
        if fitting.is_dataset(X):
            if y is not None:
                raise InputError("the targets are those of the data set", hint="Leave y out")
            X, y = fitting.items_of(X)
        X_test, y_test = (None, None) if eval_set is None else fitting.pair_of(eval_set)
        if y is None and self._needs_y and not path:
            raise DataError("requires y to be passed, but the target y is None", hint="Pass y, one value a row")
        if getattr(y, "ndim", 1) == 2 and y.shape[1] == 1:
            text = "A column-vector y was passed when a 1d array was expected: its only column is taken"
            warnings.warn(text, DataConversionWarning, stacklevel=2)
        objectives = {} if self.objectives is None else self.objectives
        if not isinstance(objectives, Mapping) or not all(isinstance(name, str) for name in objectives):
            raise InputError(
                f"objectives map metrics to 'maximize' or 'minimize', found {shorten(self.objectives)}",
                hint="Write for example objectives={'params': 'minimize'}",
            )
        wrong = next((way for way in objectives.values() if way not in ("maximize", "minimize")), None)
        if wrong is not None:
            raise InputError(f"an objective is 'maximize' or 'minimize', found {wrong!r}")
        seed = fitting.seed_of(self.random_state)
        out = fitting.folder_of(self, self.out)
        self.study_: Outcome = fitting.searched(
            out,
            X if path else self._taken(X, "X"),
            None if path else y,
            target=y if path else None,
            options=self._options() if path else None,
            task=self._task() if path else _task_for(self._task(), y),
            space=self.space,
            strategy=self.strategy,
            metric=self.metric,
            maximize=[name for name, way in objectives.items() if way == "maximize"],
            minimize=[name for name, way in objectives.items() if way == "minimize"],
            constraints=self.constraints,
            time_limit=self.time_limit,
            max_trials=self.max_trials,
            preset=self.preset,
            n_jobs=self.n_jobs,
            seed=seed,
            device=self.device,
            on=self.on,
            X_test=None if X_test is None else self._taken(X_test, "eval_set[0]"),
            y_test=y_test,
            sample_weight=sample_weight,
            class_weight=self.class_weight,
            callbacks=self.callbacks or (),
            dry_run=self.dry_run,
            ensemble=self.ensemble,
            start_from=self.start_from,
            start_weights=self.start_weights,
        )
        self._predictor = Predictor.open(out, space=self.space)
        self.out_ = out
        self.best_ = self.study_.best
        self.network_ = self._predictor.network
        self._learn_columns(X)
        classes = self._predictor.preprocessing["target"].get("classes")
        if classes is not None:
            self.classes_ = np.asarray(classes)
        return self

    @property
    def leaderboard_(self) -> list[dict[str, Any]]:
        """The trials that have a score, the best first; those of the largest budget before others."""
        from netwright.study.budgets import extent
        from netwright.tasks.job import configuration
        from netwright.tasks.overview import show

        check_is_fitted(self, "best_")
        metric, way = configuration(fitting.kept(self.out_, self.out))["objectives"][0]
        scored = [trial for trial in show(self.out_)["trials"] if metric in trial["metrics"]]
        sign = -1 if way == "maximize" else 1
        return sorted(scored, key=lambda trial: (-extent(trial["budget"]), sign * float(trial["metrics"][metric])))

    @property
    def pareto_(self) -> list[dict[str, Any]]:
        """The trials that no other beats in all objectives."""
        from netwright.tasks.overview import show

        check_is_fitted(self, "best_")
        shown = show(fitting.kept(self.out_, self.out))
        return [shown["trials"][number] for number in shown["pareto"]]

    def predict(self, X: Any) -> Any:
        """Labels as they were given to :meth:`fit`, or numbers in the target's own unit: (N,).

        Of several labels at once 0 and 1, (N, labels); of several targets a mapping from their names.
        """
        check_is_fitted(self, "best_")
        return predictions(self._predictor.preprocessing, self._outputs(X))

    @available_if(_tells_classes)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Any:
        """Probabilities (N, classes), columns in the order of ``classes_``; there is none for regression.

        Of several labels at once each one's own, (N, labels); of several targets a mapping from the names of those
        that are classes.
        """
        check_is_fitted(self, "best_")
        return probabilities(self._predictor.preprocessing, self._outputs(X))

    def _outputs(self, X: Any) -> np.ndarray[Any, Any]:
        """The network's outputs for raw rows, for those in a file or a folder, or for the examples of a data set."""
        X = collected(X)
        if fitting.is_path(X):
            return self._predictor.outputs_of(X)
        return self._predictor.outputs(fitting.items_of(X)[0] if fitting.is_dataset(X) else X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """What the report shows: the accuracy, of several labels that of all of them one by one, or R².

        Of several targets the mean of all of theirs. ``y`` has any of the forms that :meth:`fit` takes.
        """
        answers, y = self.predict(X), collected(y)
        target = self._predictor.preprocessing["target"]
        if "heads" not in target:
            return _score(answers, y, target, sample_weight)
        names = [head["name"] for head in target["heads"]]
        if not isinstance(y, Mapping) or set(y) != set(names):
            raise DataError(f"y is no mapping with the targets {', '.join(names)}")
        return float(
            np.mean([_score(answers[each["name"]], y[each["name"]], each, sample_weight) for each in target["heads"]])
        )

    def export(self, path: str | Path, to: str | None = None) -> Path:
        """Writes the network: ``to`` is one of ``netwright.export.FORMATS``; None reads it off the name.

        A name that ends in ``.pt2`` is ``"torch"``, in ``.onnx`` ``"onnx"``, in ``.xml`` ``"openvino"``, in ``.pte``
        ``"executorch"``; one without a suffix is a folder of ``"source"``, any other is refused. Checked
        against the search's network on real inputs before it is written; CheckError when it differs.
        """
        from netwright.tasks.shipping import export

        check_is_fitted(self, "best_")
        if to is None:
            suffix = Path(path).suffix
            if suffix not in FORMATS:
                raise InputError(
                    f"a network cannot be exported to '{suffix}' ({path})",
                    hint="Name a .pt2 file (to='torch'), an .onnx file, or a folder without a suffix (to='source')",
                )
            to = FORMATS[suffix]
        return export(fitting.kept(self.out_, self.out), to, Path(path))

    def _learn_columns(self, X: Any) -> None:
        for known in {"feature_names_in_", "n_features_in_"} & vars(self).keys():
            delattr(self, known)
        if self._by_shape:
            self.n_features_in_ = int(np.prod(self._predictor.input_shape))
            return
        if fitting.is_path(X):
            return
        names = list(X.columns) if is_frame(X) else []
        if names and all(isinstance(name, str) for name in names):
            self.feature_names_in_ = np.asarray(names, dtype=object)
        shape = X.shape if hasattr(X, "shape") else () if isinstance(X, Mapping) else np.asarray(X).shape
        self.n_features_in_ = len(X) if isinstance(X, Mapping) else int(np.prod(shape[1:]))

    def _task(self) -> str:
        return self.task

    def _options(self) -> dict[str, Any] | None:
        """Those of reading a file or a folder."""
        return None

    def _taken(self, X: Any, name: str) -> Any:
        """Examples as the search takes them."""
        return X

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "best_")


def _task_for(task: str, y: Any) -> str:
    """The task for these targets: of a classifier that is given several labels an example, the one of labels."""
    if not task.endswith("-classification"):
        return task
    several = len(np.shape(y)) == 2 and np.shape(y)[1] > 1 if hasattr(y, "shape") else _collections(y)
    return task.replace("-classification", "-multilabel") if several else task


def _collections(y: Any) -> bool:
    """Whether each target is a collection of labels."""
    return (
        isinstance(y, list | tuple) and bool(y) and all(isinstance(each, set | frozenset | list | tuple) for each in y)
    )


def _score(answers: Any, y: Any, target: Mapping[str, Any], weights: Any) -> float:
    """The accuracy, the accuracy of labels, or R², each example counting as ``weights`` (N,) has it."""
    from sklearn.metrics import accuracy_score, r2_score

    if "labels" in target:
        labels = Labels(answers, np.asarray(target["labels"]), "labels")
        right = answers == code(y, labels, rows=len(answers), name="y", X="X")
        return float(np.average(right.mean(1), weights=weights))
    if "classes" in target:
        return float(accuracy_score(y, answers, sample_weight=weights))
    return float(r2_score(np.asarray(y, dtype=np.float64), answers, sample_weight=weights))


class _Classifier(ClassifierMixin):  # type: ignore[misc]
    """scikit-learn's mixin, but for its score: of several labels that counts rows where all of them are right."""

    score = NeuralArchitectureSearch.score


class _Regressor(RegressorMixin):  # type: ignore[misc]
    """scikit-learn's mixin with the one score of all searches."""

    score = NeuralArchitectureSearch.score


class ImageClassifier(_Classifier, NeuralArchitectureSearch):
    """:class:`NeuralArchitectureSearch` for images and classes; rows of pixels (N, H·W) are taken as square images.

    As every classifier here it takes several labels an example, too: a matrix of 0 and 1 (N, labels), or a collection
    of labels for each.
    """

    def _task(self) -> str:
        return "image-classification"


class ImageRegressor(_Regressor, NeuralArchitectureSearch):
    """:class:`NeuralArchitectureSearch` for images and numbers."""

    def _task(self) -> str:
        return "image-regression"


class TabularClassifier(_Classifier, NeuralArchitectureSearch):
    """:class:`NeuralArchitectureSearch` for tables and classes."""

    def _task(self) -> str:
        return "table-classification"


class TabularRegressor(_Regressor, NeuralArchitectureSearch):
    """:class:`NeuralArchitectureSearch` for tables and numbers."""

    def _task(self) -> str:
        return "table-regression"


class TimeSeriesClassifier(_Classifier, NeuralArchitectureSearch):
    """:class:`NeuralArchitectureSearch` for time series and classes.

    Series are an array (N, length) or (N, channels, length), or a list of arrays (channels, length) or (length,) of
    different lengths. ``n_features_in_`` is the number of values of the longest one.
    """

    _by_shape = True

    def _task(self) -> str:
        return "series-classification"


class TimeSeriesRegressor(_Regressor, NeuralArchitectureSearch):
    """:class:`NeuralArchitectureSearch` for time series and a number each; series are as in TimeSeriesClassifier."""

    _by_shape = True

    def _task(self) -> str:
        return "series-regression"


class AudioClassifier(_Classifier, NeuralArchitectureSearch):
    """:class:`NeuralArchitectureSearch` for recordings and classes.

    Recordings are an array (N, samples), or a list of arrays (samples,) of different lengths; ``rate`` says how many
    samples they have a second.
    """

    _by_shape = True

    def __init__(self, *, rate: int = 16_000, **others: Any) -> None:
        super().__init__(**others)
        self.rate = rate

    def _taken(self, X: Any, name: str) -> Any:
        from netwright.tasks import audio

        return audio.take(X, name, self.rate)

    def _task(self) -> str:
        return "audio-classification"


class _TextSearch(NeuralArchitectureSearch):
    """What the estimators of texts have in common: ``tokens`` is how texts are cut, into "words" or pieces, "bpe"."""

    def __init__(self, *, tokens: str = "words", **others: Any) -> None:
        super().__init__(**others)
        self.tokens = tokens

    def _taken(self, X: Any, name: str) -> Any:
        from netwright.tasks import text

        return text.take(X, name).cut_into(self.tokens)

    def _options(self) -> dict[str, Any]:
        return {"tokens": self.tokens}

    def _outputs(self, X: Any) -> np.ndarray[Any, Any]:
        if isinstance(X, str) and not os.path.exists(X):
            raise InputError(
                f"predict takes a list of texts, or the path of a file, found {shorten(X)}",
                hint="Put a single text into a list",
            )
        return super()._outputs(X)

    def _learn_columns(self, X: Any) -> None:
        """A text is one feature; of a data frame all columns are named."""
        # One column stands for texts that are no frame.
        super()._learn_columns(X if is_frame(X) or fitting.is_path(X) else np.empty((0, 1)))


class TextClassifier(_Classifier, _TextSearch):
    """:class:`NeuralArchitectureSearch` for texts and classes.

    Texts are a list, an array or a series of str, or a data frame, whose longest columns of strings are joined.
    ``tokens`` is how they are cut: into ``"words"``, or by byte pairs into pieces of words, ``"bpe"``.
    """

    def _task(self) -> str:
        return "text-classification"


class TextRegressor(_Regressor, _TextSearch):
    """:class:`NeuralArchitectureSearch` for texts and a number each; texts are as in :class:`TextClassifier`."""

    def _task(self) -> str:
        return "text-regression"


class MultiModal(NeuralArchitectureSearch):
    """:class:`NeuralArchitectureSearch` for several inputs and several things to predict at once.

    ``fit`` takes a mapping from names to inputs, ``{"picture": images, "about": frame, "title": texts}``, and the
    target, or a mapping from names to targets, ``{"kind": classes, "price": numbers}``. What an input is, is read off
    it, or said: ``("audio", clips)``. ``predict`` gives what it was taught: an array, or a mapping from the targets'
    names; ``predict_proba`` the probabilities of those that are classes. ``score`` is the mean of accuracies and R².
    """

    def _task(self) -> str:
        return "several"
