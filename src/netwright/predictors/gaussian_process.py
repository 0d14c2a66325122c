"""A Gaussian process over architectures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, final

import numpy as np

from netwright.architecture import Architecture
from netwright.arguments import one_of_these, whole
from netwright.errors import InputError
from netwright.predictors.base import Architectures, Floats, Predictor, Rows
from netwright.predictors.kernels import Both, Distance, Hamming, WeisfeilerLehman
from netwright.predictors.warping import warped
from netwright.space import SearchSpace

TUNED_ON = 100
"""So many points decide on the weights: the cost of that grows with the cube of their number."""

STEPS = 20
TOTAL = 1.5
"""Σ weights expected before anything is seen; e^-TOTAL is the correlation of two that have nothing in common."""

SD_WEIGHT, SD_NOISE = 1.0, 2.0
NOISE = 0.05
LEAST_NOISE = 1e-4
JITTER = 1e-9


@final
class GaussianProcess(Predictor):
    """Exact regression by a Gaussian process (Rasmussen and Williams 2006, algorithm 2.1).

    ``kernel="hamming"`` is exp(-Σ θ_d · d_d) over the decisions, d_d being how far two answers are apart
    (:class:`~netwright.predictors.kernels.Hamming`; conditional decisions included), each with a weight of its own:
    with unordered decisions a product of one factor for each that differs. ``kernel="wl"`` compares the graphs of two
    architectures by their Weisfeiler-Lehman subtrees (Ru et al. 2021, NAS-BOWL), ``"both"`` adds the two, and
    ``"auto"`` takes both where the space declares graphs. Weights and noise maximise the marginal likelihood, times a
    log-normal prior that keeps a dozen points from deciding too much; the variance of the signal follows in closed
    form.

    ``warp`` learns on the normal quantiles of the scores' ranks (:class:`~netwright.predictors.warping.NormalScores`)
    and gives mean and spread in the score's unit back. Spread is that of a new measurement, noise included. At most
    ``points`` architectures are kept, half of them the best and half the latest; weights are tuned on at most 100.

    ``update`` keeps the weights; ``tune`` finds them anew. Nothing here is drawn: ``seed`` plays no part.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        kernel: Literal["auto", "hamming", "wl", "both"] = "auto",
        warp: bool = True,
        points: int = 500,
        seed: int | np.random.Generator = 0,
    ) -> None:
        super().__init__(space, seed=seed)
        one_of_these("GaussianProcess", "kernel", kernel, ["auto", *_KERNELS])
        whole("GaussianProcess", 2, points=points)
        self.kernel = kernel
        self.warp = warp
        self.points = points
        chosen = kernel if kernel != "auto" else "both" if space.declares_graph else "hamming"
        self._distance: Distance = _KERNELS[chosen](space)

    def encode(self, architectures: Sequence[Architecture]) -> Rows:
        return self._distance.encode(architectures)

    def sibling(self, *, warp: bool) -> GaussianProcess:
        """Another process that has learnt nothing and reads the same rows: what one encodes, both understand."""
        other = GaussianProcess(self.space, kernel=self.kernel, warp=warp, points=self.points, seed=self.seed)
        other._distance = self._distance
        return other

    def tune(self) -> GaussianProcess:
        """Finds weights and noise anew for what it has learnt."""
        if self._rows is None:
            raise InputError("GaussianProcess has nothing to be tuned on", hint="Call fit first.")
        self._fit(self._rows, self._scores)
        return self

    def condition(self, architectures: Architectures, scores: Any) -> GaussianProcess:
        """Forgets what it learnt except weights and noise, and learns this."""
        if self._rows is None:
            self.fit(architectures, scores)
            return self
        rows, values = self._pair(architectures, scores)
        self._update(rows, values)
        self._rows, self._scores = rows, values
        return self

    @property
    def weights(self) -> Floats:
        """θ of each group of the kernel: of each decision (up to 64 of them), or of each round of "wl"."""
        if self._rows is None:
            raise InputError("GaussianProcess has no weights before it was fitted", hint="Call fit first.")
        return self._weights.copy()

    @property
    def incumbent(self) -> float:
        """The largest latent score that it learnt: what an acquisition function wants to improve on."""
        return self._incumbent

    def latent(self, architectures: Architectures) -> tuple[Floats, Floats]:
        """Mean and spread, without noise, of the warped (or else standardised) score: for acquisition functions."""
        if self._rows is None:
            raise InputError("GaussianProcess was asked to predict before it was fitted", hint="Call fit first.")
        mean, variance = self._posterior(self._encoded(architectures))
        return mean, np.sqrt(variance)

    def covariance(self, architectures: Architectures) -> tuple[Floats, Floats]:
        """Mean and covariance matrix of the latent score, for joint draws of some hundred architectures."""
        if self._rows is None:
            raise InputError("GaussianProcess was asked to predict before it was fitted", hint="Call fit first.")
        rows = self._encoded(architectures)
        cross = np.exp(-self._distance.weighted(rows, self._kept, self._weights))
        half = self._inverse_root @ cross.T
        prior = np.exp(-self._distance.weighted(rows, rows, self._weights))
        return self._center + cross @ self._alpha, self._signal * (prior - half.T @ half)

    def drawn(self, architectures: Architectures, rng: np.random.Generator) -> Floats:
        """One joint draw of their latent scores; the cost grows with the cube of their number."""
        mean, covariance = self.covariance(architectures)
        values, vectors = np.linalg.eigh(covariance)
        draw: Floats = mean + vectors @ (np.sqrt(np.maximum(values, 0.0)) * rng.normal(size=len(mean)))
        return draw

    def _fit(self, rows: Rows, scores: Floats) -> None:
        rows, scores = _kept(rows, scores, self.points)
        rows_to_tune, scores_to_tune = _spaced(rows, scores, TUNED_ON)
        latent, _ = warped(scores_to_tune, self.warp)
        self._weights, self._noise = _tuned(self._distance, rows_to_tune, latent - latent.mean())
        self._condition(rows, scores)

    def _update(self, rows: Rows, scores: Floats) -> None:
        self._condition(*_kept(rows, scores, self.points))

    def _condition(self, rows: Rows, scores: Floats) -> None:
        from scipy.linalg import solve_triangular

        latent, self._map = warped(scores, self.warp)
        self._center, self._incumbent = float(latent.mean()), float(latent.max())
        gram = np.exp(-self._distance.weighted(rows, rows, self._weights))
        gram[np.diag_indices_from(gram)] = 1.0 + self._noise + JITTER
        root = np.linalg.cholesky(gram)
        inverse = solve_triangular(root, np.eye(len(root)), lower=True, check_finite=False)
        self._inverse_root: Floats = np.asfortranarray(inverse)
        whitened = self._inverse_root @ (latent - self._center)
        self._alpha: Floats = self._inverse_root.T @ whitened
        # One more observation of the prior's unit variance: a handful of points does not vouch for a tiny variance.
        self._signal = float((whitened @ whitened + 1.0) / (len(latent) + 1))
        self._kept = rows

    def _posterior(self, rows: Rows) -> tuple[Floats, Floats]:
        from scipy.linalg.blas import dtrmm

        cross = self._distance.weighted(rows, self._kept, self._weights)
        np.negative(cross, out=cross)
        np.exp(cross, out=cross)
        half = dtrmm(1.0, self._inverse_root, cross.T, lower=1).T  # half of what a product of full matrices costs
        left = 1.0 - np.einsum("ij,ij->i", half, half)
        return self._center + cross @ self._alpha, self._signal * np.maximum(left, JITTER)

    def _predict(self, rows: Rows) -> tuple[Floats, Floats]:
        mean, variance = self._posterior(rows)
        spread = np.sqrt(variance + self._signal * self._noise)
        return self._map.moments(mean, spread)


_KERNELS: dict[str, Any] = {"hamming": Hamming, "wl": WeisfeilerLehman, "both": Both}


def _kept(rows: Rows, scores: Floats, most: int) -> tuple[Rows, Floats]:
    """All, or the best half and of the others the latest half, in their order."""
    if len(scores) <= most:
        return rows, scores
    best = np.argsort(-scores, kind="stable")[: most // 2]
    rest = np.setdiff1d(np.arange(len(scores)), best)
    places = np.sort(np.concatenate([best, rest[-(most - len(best)) :]]))
    return rows[places], scores[places]


def _spaced(rows: Rows, scores: Floats, most: int) -> tuple[Rows, Floats]:
    """At most ``most``, evenly over the ranks of the scores, the best among them."""
    if len(scores) <= most:
        return rows, scores
    order = np.argsort(-scores, kind="stable")
    places = np.sort(order[np.linspace(0, len(order) - 1, most).round().astype(np.int64)])
    return rows[places], scores[places]


def _tuned(distance: Distance, rows: Rows, latent: Floats) -> tuple[Floats, float]:
    """Weights and noise of the greatest posterior density; the noise is a share of the signal."""
    from scipy.optimize import minimize

    count, groups = len(latent), distance.groups
    prior = np.append(np.log(TOTAL * distance.shares), np.log(NOISE))
    scale = np.append(np.full(groups, SD_WEIGHT), SD_NOISE)
    if count < 3 or not groups or not latent.any():
        return np.exp(prior[:-1]), NOISE
    parts = distance.parts(rows).reshape(groups, -1)
    found = minimize(
        _loss, prior, args=(parts, latent, prior, scale), jac=True, method="L-BFGS-B",
        bounds=[(mean - 5, mean + 5) for mean in prior[:-1]] + [(np.log(LEAST_NOISE), np.log(10.0))],
        options={"maxiter": STEPS},
    )  # fmt: skip
    return np.exp(found.x[:-1]), float(np.exp(found.x[-1]))


def _loss(logs: Floats, parts: Floats, latent: Floats, prior: Floats, scale: Floats) -> tuple[float, Floats]:
    """-log p(y | θ) p(θ), the signal's variance maximised out, and its gradient in log θ (equation 5.9)."""
    count = len(latent)
    weights, noise = np.exp(logs[:-1]), np.exp(logs[-1])
    correlation = np.exp(-(weights @ parts)).reshape(count, count)
    gram = correlation.copy()
    diagonal = np.diag_indices(count)
    gram[diagonal] += noise + JITTER
    root = np.linalg.cholesky(gram)
    inverse = np.linalg.inv(gram)
    alpha = inverse @ latent
    signal = (latent @ alpha + 1.0) / (count + 1)
    inner = 0.5 * (inverse - np.outer(alpha, alpha) / signal)
    away = (logs - prior) / scale
    value = 0.5 * (count + 1) * np.log(signal) + np.log(root[diagonal]).sum() + 0.5 * away @ away
    slopes = np.append(-(parts @ (inner * correlation).ravel()) * weights, noise * inner.trace())
    return float(value), slopes + away / scale
