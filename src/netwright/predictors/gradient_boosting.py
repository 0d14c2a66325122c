"""Boosted trees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np

from netwright.architecture import Architecture
from netwright.arguments import whole
from netwright.errors import MissingExtra
from netwright.predictors.base import Floats, Predictor, Rows
from netwright.predictors.calibration import Calibration, calibrated
from netwright.predictors.importing import imported
from netwright.predictors.random_forest import TreeColumns
from netwright.predictors.warping import warped
from netwright.space import SearchSpace

SETTINGS = {
    "objective": "regression", "learning_rate": 0.1, "num_leaves": 15, "min_data_in_leaf": 3, "min_data_in_bin": 1,
    "feature_fraction": 0.7, "lambda_l2": 1.0, "num_threads": 1, "deterministic": True, "force_row_wise": True,
    "verbosity": -1,
}  # fmt: skip


@final
class GradientBoosting(Predictor):
    """Gradient boosting of trees (Friedman 2001) by LightGBM, ``members`` times, each on a bag of the architectures.

    The spread of the members says little of how far they are off together, so it is calibrated on what each member
    predicts for the architectures outside its bag (:mod:`netwright.predictors.calibration`). Needs the extra
    ``surrogates``; MissingExtra where it is not installed.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        members: int = 10,
        rounds: int = 100,
        warp: bool = True,
        seed: int | np.random.Generator = 0,
    ) -> None:
        super().__init__(space, seed=seed)
        whole("GradientBoosting", members=members, rounds=rounds)
        self.members = members
        self.rounds = rounds
        self.warp = warp
        self._columns = TreeColumns(space)

    def encode(self, architectures: Sequence[Architecture]) -> Rows:
        return self._columns.encode(architectures)

    def _fit(self, rows: Rows, scores: Floats) -> None:
        lightgbm = _lightgbm()
        rng = self._generator()
        latent, self._map = warped(scores, self.warp)
        count = len(latent)
        self._boosters: list[Any] = []
        unseen = np.full((self.members, count), np.nan)
        for member, seed in enumerate(rng.integers(2**31, size=self.members).tolist()):
            bag = rng.integers(count, size=count)
            data = lightgbm.Dataset(rows[bag], latent[bag], free_raw_data=True, params={"verbosity": -1})
            booster = lightgbm.train({**SETTINGS, "seed": seed}, data, self.rounds)
            self._boosters.append(booster)
            outside = np.setdiff1d(np.arange(count), bag)
            if len(outside):
                unseen[member, outside] = booster.predict(rows[outside])
        seen_by = np.isfinite(unseen).sum(axis=0)
        several = seen_by > 1
        self._calibration = Calibration(1.0, 1.0)
        if several.any():
            found = unseen[:, several]
            self._calibration = calibrated(np.nanmean(found, axis=0) - latent[several], np.nanstd(found, axis=0))

    def _predict(self, rows: Rows) -> tuple[Floats, Floats]:
        found = np.stack([booster.predict(rows) for booster in self._boosters])
        return self._map.moments(found.mean(axis=0), self._calibration(found.std(axis=0)))


def _lightgbm() -> Any:
    try:
        return imported("lightgbm")
    except ImportError as error:
        raise MissingExtra("lightgbm", "surrogates", "the gradient boosting predictor") from error
