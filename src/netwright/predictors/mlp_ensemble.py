"""An ensemble of small perceptrons."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from netwright.architecture import Architecture
from netwright.arguments import one_of_these, whole
from netwright.predictors.base import Floats, Predictor, Rows
from netwright.predictors.calibration import Calibration, calibrated, folds
from netwright.predictors.ridge import encoder
from netwright.predictors.warping import warped
from netwright.space import SearchSpace

Single = NDArray[np.float32]

FOLDS = 5
BATCH = 32
BETAS = (0.9, 0.99)
LOSSES = ("mae", "mape")


@final
class MLPEnsemble(Predictor):
    """The predictor of BANANAS (White, Neiswanger and Savani 2021): fully connected networks that start differently.

    ``members`` networks of ``depth`` hidden layers of ``width`` units with ReLU, trained by Adam at ``rate`` for
    ``epochs`` in batches of 32. ``loss="mae"`` is the mean absolute error; ``"mape"`` divides each error by how far the
    score is below the best seen (plus a tenth of the standard deviation), so that it is the good ones that are told
    apart: larger scores are then taken to be better.

    Without ``encoding`` it reads paths where the space declares graphs (the ``paths`` most frequent), else coordinates.

    All networks are one program over stacked arrays. With ``calibrate`` those of a five-fold cross-validation are
    trained in it too, and their errors make the members' spread honest (:mod:`netwright.predictors.calibration`);
    without, it is the bare standard deviation of the members, as in BANANAS, which is over-sure.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        encoding: Literal["coordinates", "one-hot", "adjacency", "paths"] | None = None,
        paths: int = 200,
        members: int = 5,
        depth: int = 10,
        width: int = 20,
        rate: float = 0.01,
        epochs: int = 150,
        loss: Literal["mae", "mape"] = "mae",
        warp: bool = True,
        calibrate: bool = True,
        seed: int | np.random.Generator = 0,
    ) -> None:
        super().__init__(space, seed=seed)
        whole("MLPEnsemble", members=members, depth=depth, width=width, epochs=epochs, paths=paths)
        one_of_these("MLPEnsemble", "loss", loss, LOSSES)
        self.encoding = encoding
        self.paths = paths
        self.members = members
        self.depth = depth
        self.width = width
        self.rate = rate
        self.epochs = epochs
        self.loss = loss
        self.warp = warp
        self.calibrate = calibrate
        chosen = encoding or ("paths" if space.declares_graph else "coordinates")
        self._encoder = encoder(space, chosen, "MLPEnsemble", paths=paths)

    def encode(self, architectures: Sequence[Architecture]) -> Rows:
        rows: Rows = self._encoder.encode(architectures).astype(np.float32)
        return rows

    def _fit(self, rows: Rows, scores: Floats) -> None:
        rng = self._generator()
        latent, self._map = warped(scores, self.warp)
        fold = folds(len(latent), FOLDS, rng) if self.calibrate and len(latent) > FOLDS else None
        left_out = [] if fold is None else [fold == part for part in range(FOLDS)]
        sets = [np.ones(len(latent), dtype=bool), *(~out for out in left_out)]
        used = np.repeat(np.stack(sets), self.members, axis=0)
        network = _Stack(used.shape[0], rows.shape[1], self.width, self.depth, rng)
        weights = np.ones(len(latent))
        if self.loss == "mape":
            weights = 1 / (latent.max() - latent + 0.1)
            weights /= weights.mean()
        network.train(rows, latent, weights, used, self.rate, self.epochs, rng)
        self._network, self._calibration = network, Calibration()
        if fold is not None:
            unseen = network(rows).reshape(FOLDS + 1, self.members, -1)[fold + 1, :, np.arange(len(latent))]
            self._calibration = calibrated(unseen.mean(axis=1) - latent, unseen.std(axis=1))
        elif self.calibrate:
            self._calibration = Calibration(1.0, 1.0)

    def _predict(self, rows: Rows) -> tuple[Floats, Floats]:
        found = self._network(rows, first=self.members).astype(np.float64)
        return self._map.moments(found.mean(axis=0), self._calibration(found.std(axis=0)))


@final
class _Stack:
    """Several fully connected networks of one shape, all parameters in one vector, in single precision.

    Layers are networks × outputs × (inputs + 1), the last column being the bias; what passes between them is
    networks × (units + 1) × examples, the last row being 1. So a layer is one product and one comparison.
    """

    def __init__(self, networks: int, inputs: int, width: int, depth: int, rng: np.random.Generator) -> None:
        sizes = [inputs, *[width] * depth, 1]
        shapes = [(networks, after, before + 1) for before, after in itertools.pairwise(sizes)]
        ends = [0, *itertools.accumulate(math.prod(shape) for shape in shapes)]
        self._parameters: Single = np.zeros(ends[-1], dtype=np.float32)
        self._slopes: Single = np.zeros_like(self._parameters)
        self._layers, self._layer_slopes = (
            [flat[a:b].reshape(shape) for (a, b), shape in zip(itertools.pairwise(ends), shapes, strict=True)]
            for flat in (self._parameters, self._slopes)
        )
        for layer in self._layers:  # He et al. 2015
            layer[..., :-1] = rng.normal(size=(*layer.shape[:2], layer.shape[2] - 1)) * np.sqrt(
                2 / max(layer.shape[2] - 1, 1)
            )

    def __call__(self, rows: Rows, *, first: int | None = None) -> Single:
        """What each (or the ``first`` few) of the networks gives for each row: networks × rows."""
        at: Any = np.asarray(rows, dtype=np.float32).T
        for number, layer in enumerate(self._layers):
            if number:
                np.maximum(at, 0, out=at)
            at = layer[:first, :, :-1] @ at + layer[:first, :, -1:]
        result: Single = at[:, 0]
        return result

    def train(
        self,
        rows: Rows,
        targets: Floats,
        weights: Floats,
        used: NDArray[np.bool_],
        rate: float,
        epochs: int,
        rng: np.random.Generator,
    ) -> None:
        """Adam on the weighted mean absolute error; network i sees the rows of ``used[i]`` alone."""
        networks, count = used.shape
        x = np.append(np.asarray(rows, dtype=np.float32), np.ones((count, 1), dtype=np.float32), axis=1)
        y, counted = targets.astype(np.float32), (used * weights).astype(np.float32)
        steps, size = epochs * max(1, round(count / BATCH)), min(count, BATCH)
        passed = [np.ones((networks, layer.shape[2], size), dtype=np.float32) for layer in self._layers[1:]]
        moment, square, spare = (np.zeros_like(self._parameters) for _ in range(3))
        order, place = rng.permuted(np.tile(np.arange(count), (networks, 1)), axis=1), 0
        each = np.arange(networks)[:, None]
        for step in range(1, steps + 1):
            if place + size > count:
                order, place = rng.permuted(order, axis=1), 0
            batch = order[:, place : place + size]
            place += size
            self._differentiate([x[batch].transpose(0, 2, 1), *passed], y[batch], counted[each, batch])
            moment *= BETAS[0]
            np.multiply(self._slopes, 1 - BETAS[0], out=spare)
            moment += spare
            square *= BETAS[1]
            np.multiply(self._slopes, self._slopes, out=spare)
            spare *= 1 - BETAS[1]
            square += spare
            np.sqrt(square, out=spare)
            # Kingma and Ba 2015, section 2: the corrections of both moments are one factor. The rate falls to nothing
            # over the last half.
            root = math.sqrt(1 - BETAS[1] ** step)
            spare += 1e-7 * root
            np.divide(moment, spare, out=spare)
            spare *= rate * min(1.0, 2 * (1 - (step - 1) / steps)) * root / (1 - BETAS[0] ** step)
            self._parameters -= spare

    def _differentiate(self, passed: Sequence[Single], y: Single, weights: Single) -> None:
        """Writes the gradient of Σ weights · |f(x) - y| / Σ weights of each network; ``passed`` is written over."""
        for layer, before, after in zip(self._layers[:-1], passed[:-1], passed[1:], strict=True):
            units = after[:, :-1]
            np.matmul(layer, before, out=units)
            np.maximum(units, 0, out=units)
        found = self._layers[-1] @ passed[-1]
        total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-6)
        slope = (np.sign(found[:, 0] - y) * weights / total)[:, None]
        for number in range(len(self._layers) - 1, -1, -1):
            np.matmul(slope, passed[number].transpose(0, 2, 1), out=self._layer_slopes[number])
            if number:
                slope = self._layers[number][..., :-1].transpose(0, 2, 1) @ slope
                slope *= passed[number][:, :-1] > 0
