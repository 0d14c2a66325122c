"""Tables: a search beside scikit-learn's perceptron, linear model and gradient boosting, on eight real sets.

    python benchmarks/tables.py [--data FOLDER] [--sets adult,iris] [--seeds 1] [--time-limit 2m] [--jobs 2]
        [--defaults]

All have the same rows, a quarter of which is the test part, and the same time: the rivals draw their settings at
random and keep what is best on a fifth of the training rows, for as long as the search may take (with ``--defaults``
they have scikit-learn's settings and what time those need). Aims: a mean rank ahead of the perceptron and the linear
model; on average within half a point of gradient boosting's accuracy, and within .02 of its R².

``--data`` is the folder with adult_train.csv.gz (https://archive.ics.uci.edu/dataset/2), spambase.csv.gz
(https://archive.ics.uci.edu/dataset/94) and california_housing.csv.gz, each with a line of names; without it the sets
that come with scikit-learn are used alone. By name (``--sets``) it also knows satellite, letters, dna, vowel, vehicle
and boston_housing (the R package mlbench) and household_income (kernlab), read from CSV files as written by
``Rscript -e 'data(DNA, package = "mlbench"); write.csv(DNA, gzfile("dna.csv.gz"), row.names = FALSE)'``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from scipy.stats import loguniform, rankdata
from sklearn import datasets
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import ParameterSampler, train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import netwright as nw
from netwright.durations import parse_duration

FILES = {
    "adult": ("adult_train.csv.gz", "income"),
    "spambase": ("spambase.csv.gz", "type"),
    "california_housing": ("california_housing.csv.gz", "median_house_value"),
}
MORE = {
    "satellite": ("satellite.csv.gz", "classes"),
    "letters": ("letterrecognition.csv.gz", "lettr"),
    "dna": ("dna.csv.gz", "Class"),
    "vowel": ("vowel.csv.gz", "Class"),
    "vehicle": ("vehicle.csv.gz", "Class"),
    "boston_housing": ("bostonhousing.csv.gz", "medv"),
    "household_income": ("income.csv.gz", "INCOME"),
}
"""By name alone."""
BUNDLED = ("breast_cancer", "wine", "diabetes", "digits", "iris")
NUMBERS = ("california_housing", "diabetes", "boston_housing")
"""The sets whose target is a number."""


def rows(name: str, folder: Path | None) -> tuple[pandas.DataFrame, Any]:
    """The columns of a set, and its target."""
    if name in FILES or name in MORE:
        assert folder is not None, f"{name} is read from --data"
        file, target = (FILES | MORE)[name]
        frame = pandas.read_csv(folder / file)
        return frame.drop(columns=target), frame[target].to_numpy()
    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    return bunch.data.rename(columns=str), bunch.target.to_numpy()


def rivals(numbers: bool) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Each with the settings that it draws from."""
    dense = make_column_transformer(
        (
            make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()),
            make_column_selector(dtype_include="number"),
        ),
        (
            OneHotEncoder(
                min_frequency=2, max_categories=33, handle_unknown="infrequent_if_exist", sparse_output=False
            ),
            make_column_selector(dtype_exclude="number"),
        ),
    )
    ordinal = make_column_transformer(
        (
            OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1),
            make_column_selector(dtype_exclude="number"),
        ),
        remainder="passthrough",
    )
    perceptron = MLPRegressor if numbers else MLPClassifier
    boosting = HistGradientBoostingRegressor if numbers else HistGradientBoostingClassifier
    linear = Ridge() if numbers else LogisticRegression(max_iter=2000)
    strength = "ridge__alpha" if numbers else "logisticregression__C"
    mlp, hist = perceptron.__name__.lower(), boosting.__name__.lower()
    return {
        "linear": (make_pipeline(dense, linear), {strength: loguniform(1e-3, 1e3)}),
        "perceptron": (
            make_pipeline(dense, perceptron(max_iter=500, early_stopping=True, random_state=0)),
            {
                f"{mlp}__hidden_layer_sizes": [(64,), (128,), (256,), (128, 128), (256, 256)],
                f"{mlp}__alpha": loguniform(1e-6, 1e-1),
                f"{mlp}__learning_rate_init": loguniform(3e-4, 1e-2),
            },
        ),
        "boosting": (
            make_pipeline(ordinal, boosting(random_state=0)),
            {
                f"{hist}__learning_rate": loguniform(0.02, 0.3),
                f"{hist}__max_iter": [100, 200, 400],
                f"{hist}__max_leaf_nodes": [7, 15, 31, 63],
                f"{hist}__l2_regularization": loguniform(1e-6, 10),
                f"{hist}__min_samples_leaf": [5, 20, 50],
            },
        ),
    }


def fitted(model: Any, settings: dict[str, Any], X: Any, y: Any, seconds: float, numbers: bool, seed: int) -> Any:
    """The model with the best settings that were found in this time, on all rows; the first are its own."""
    if seconds <= 0:
        return clone(model).fit(X, y)
    inner = train_test_split(X, y, test_size=0.2, random_state=seed, stratify=None if numbers else y)
    end, best = time.monotonic() + seconds, (-np.inf, {})
    for draw in [{}, *ParameterSampler(settings, 300, random_state=seed)]:
        score = clone(model).set_params(**draw).fit(inner[0], inner[2]).score(inner[1], inner[3])
        best = max(best, (score, draw), key=lambda pair: pair[0])
        if time.monotonic() > end:
            break
    return clone(model).set_params(**best[1]).fit(X, y)


def compare(name: str, folder: Path | None, seed: int, limit: str, jobs: int, defaults: bool) -> dict[str, float]:
    """The test score of each method on a set: accuracy, or R²."""
    X, y = rows(name, folder)
    numbers = name in NUMBERS
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.25, random_state=seed, stratify=None if numbers else y)
    kind: Callable[..., Any] = nw.TabularRegressor if numbers else nw.TabularClassifier
    began = time.monotonic()
    # The test part is for the verdict at the end alone: so the search, too, learns from all other rows.
    search = kind(time_limit=limit, n_jobs=jobs, random_state=seed).fit(X, y, eval_set=(X_test, y_test))
    took = time.monotonic() - began - search.study_.baseline.seconds
    scores = {"netwright": float(search.score(X_test, y_test))}
    print(f"{name} {seed}: {search.study_.trials} trials in {took:.0f} s, {search.best_.architecture}", flush=True)
    seconds = 0.0 if defaults else parse_duration(limit)
    for rival, (model, settings) in rivals(numbers).items():
        scores[rival] = float(fitted(model, settings, X, y, seconds, numbers, seed).score(X_test, y_test))
    print("  " + "  ".join(f"{method} {score:.4f}" for method, score in scores.items()), flush=True)
    return scores


def main(options: argparse.Namespace) -> None:
    """A line a set and seed, then mean ranks and the differences to gradient boosting."""
    usual = ",".join((*FILES, *BUNDLED) if options.data else BUNDLED)
    names = (options.sets or usual).split(",")
    results: dict[tuple[str, int], dict[str, float]] = {
        (name, seed): compare(name, options.data, seed, options.time_limit, options.jobs, options.defaults)
        for name in names
        for seed in range(options.seeds)
    }
    methods = list(next(iter(results.values())))
    ranks = np.mean([rankdata([-scores[method] for method in methods]) for scores in results.values()], axis=0)
    print("mean rank  " + "  ".join(f"{method} {rank:.2f}" for method, rank in zip(methods, ranks, strict=True)))
    for unit, chosen in (
        ("accuracy", [name for name in names if name not in NUMBERS]),
        ("R²", [name for name in names if name in NUMBERS]),
    ):
        differences = [
            scores["netwright"] - scores["boosting"] for (name, _), scores in results.items() if name in chosen
        ]
        if differences:
            print(f"{unit} against gradient boosting: {np.mean(differences):+.4f} on average of {len(chosen)} sets")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--sets")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--time-limit", default="2m")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--defaults", action="store_true")
    main(parser.parse_args())
