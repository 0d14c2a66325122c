"""A Gaussian process that knows something before it has seen a score."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.predictors import GaussianProcess
from netwright.predictors.warping import NormalScores

Floats = NDArray[np.float64]
Rows = NDArray[Any]

DOUBT = 4.0
"""So many scores must speak for a hint before it counts for half: the ridge of the prior mean."""

BELIEF = 0.8
"""The slope of all hints together that is believed before there is a score: they point the right way."""

GROWTH = 1.1
"""The weights of the kernel are found anew when the history has grown by this factor."""


@final
class Informed:
    """Regression of the ranks of scores on architectures, with a prior mean that is linear in hints.

    Hints are numbers known of any architecture for nothing or for little: what another process expects of it at a
    cheaper budget, or of its parameters. Their weights are found by ridge regression on the normal scores of the ranks,
    and a Gaussian process learns what is left (Kennedy and O'Hagan 2000, on ranks). A hint that says nothing about the
    scores gets a weight near zero.

    ``process`` is a :class:`~netwright.predictors.GaussianProcess` that does not warp. Means and spreads are in normal
    scores: about 0 for a middling architecture.
    """

    def __init__(self, process: GaussianProcess) -> None:
        self._process = process
        self._tuned_at = 0.0
        self.incumbent = 0.0
        """The largest normal score that it learnt."""

    def learn(self, rows: Rows, hints: Floats, scores: Floats, history: int) -> None:
        """Learns scores (n), larger being better, of rows (n, D) with hints (n, H).

        ``history`` is how many scores there are in all, of which these are some.
        """
        latent: Floats = NormalScores(scores).forward(scores)
        self.incumbent = float(latent.max())
        gram = hints.T @ hints + DOUBT * np.eye(hints.shape[1])
        belief = np.full(hints.shape[1], BELIEF / max(1, hints.shape[1]))
        self._slopes = np.asarray(np.linalg.solve(gram, hints.T @ latent + DOUBT * belief), dtype=np.float64)
        left: Floats = latent - hints @ self._slopes
        self._centre, self._scale = float(left.mean()), float(left.std()) or 1.0
        tune = history >= GROWTH * self._tuned_at
        if tune:
            self._tuned_at = float(history)
        self._condition(rows, left, tune)

    def believe(self, rows: Rows, hints: Floats) -> None:
        """Takes what it expects of these (those that are pending) for a fact."""
        expected, _ = self.expect(rows, hints)
        self._condition(
            np.concatenate([self._rows, rows]), np.concatenate([self._left, expected - hints @ self._slopes]), False
        )

    def expect(self, rows: Rows, hints: Floats) -> tuple[Floats, Floats]:
        """Mean and spread of the normal scores, without noise."""
        mean, spread = self._process.latent(rows)
        return self._centre + self._scale * mean + hints @ self._slopes, self._scale * spread

    def _condition(self, rows: Rows, left: Floats, tune: bool) -> None:
        self._rows, self._left = rows, left
        standard = (left - self._centre) / self._scale
        # Conditioned, the process brings its scores to mean 0 and deviation 1 once more; that is undone here.
        self._process.fit(rows, standard) if tune else self._process.condition(rows, standard)
        self._centre += self._scale * float(standard.mean())
        self._scale *= float(standard.std()) or 1.0
