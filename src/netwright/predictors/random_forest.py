"""A random forest over the positions of the answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np

from netwright.architecture import Architecture
from netwright.arguments import whole
from netwright.errors import InputError
from netwright.predictors.base import Architectures, Floats, Predictor, Rows
from netwright.predictors.encodings import Positions
from netwright.predictors.importing import imported
from netwright.predictors.kernels import Hamming
from netwright.predictors.warping import warped
from netwright.space import SearchSpace

FEATURES = 1 / 2
LEAF = 2


@final
class TreeColumns:
    """What trees split on: the position of each answer, and the rows of :class:`Hamming`, in which a single option and
    how often it was taken have columns of their own."""

    def __init__(self, space: SearchSpace) -> None:
        self._positions, self._points = Positions(space), Hamming(space)

    def encode(self, architectures: Sequence[Architecture]) -> Rows:
        parts = (self._positions.encode(architectures), self._points.encode(architectures))
        return np.concatenate(parts, axis=1).astype(np.float32)


@final
class RandomForest(Predictor):
    """Bagged regression trees (Breiman 2001) with the spread of Hutter, Hoos and Leyton-Brown 2011 (SMAC).

    The variance is that of the trees' means plus the mean of the variances in the leaves: what the trees disagree on
    and what none of them can tell apart. It needs no calibration. The trees are scikit-learn's; bags and means are
    taken here, as its forest spends more time on checks than on splits.
    """

    def __init__(
        self, space: SearchSpace, *, trees: int = 60, warp: bool = True, seed: int | np.random.Generator = 0
    ) -> None:
        super().__init__(space, seed=seed)
        whole("RandomForest", 2, trees=trees)
        self.trees = trees
        self.warp = warp
        self._columns = TreeColumns(space)

    def encode(self, architectures: Sequence[Architecture]) -> Rows:
        return self._columns.encode(architectures)

    def _fit(self, rows: Rows, scores: Floats) -> None:
        tree_kind = imported("sklearn.tree").DecisionTreeRegressor
        config_context = imported("sklearn").config_context
        rng = self._generator()
        latent, self._map = warped(scores, self.warp)
        count = len(latent)
        self._fitted: list[Any] = []
        with config_context(skip_parameter_validation=True, assume_finite=True):
            for seed in rng.integers(2**31, size=self.trees).tolist():
                bag = np.sort(rng.integers(count, size=count))
                tree = tree_kind(max_features=FEATURES, min_samples_leaf=LEAF, random_state=seed)
                self._fitted.append(tree.fit(rows[bag], latent[bag, None], check_input=False).tree_)

    def _predict(self, rows: Rows) -> tuple[Floats, Floats]:
        mean, spread = self._latent(rows)
        return self._map.moments(mean, spread)

    def drawn(self, architectures: Architectures, rng: np.random.Generator) -> Floats:
        """The warped (or else standardised) scores that one tree expects: a draw from what the forest believes."""
        if self._rows is None:
            raise InputError("RandomForest was asked to predict before it was fitted", hint="Call fit first.")
        rows = np.ascontiguousarray(self._encoded(architectures), dtype=np.float32)
        tree = self._fitted[int(rng.integers(self.trees))]
        means: Floats = tree.value[tree.apply(rows), 0, 0]
        return means

    def latent(self, architectures: Architectures) -> tuple[Floats, Floats]:
        """Mean and spread of the warped (or else standardised) score: for acquisition functions."""
        if self._rows is None:
            raise InputError("RandomForest was asked to predict before it was fitted", hint="Call fit first.")
        return self._latent(self._encoded(architectures))

    def _latent(self, rows: Rows) -> tuple[Floats, Floats]:
        rows = np.ascontiguousarray(rows, dtype=np.float32)
        means, within = np.empty((2, self.trees, len(rows)))
        for place, tree in enumerate(self._fitted):
            leaves = tree.apply(rows)
            means[place] = tree.value[leaves, 0, 0]
            within[place] = tree.impurity[leaves]
        return means.mean(axis=0), np.sqrt(means.var(axis=0) + within.mean(axis=0))
