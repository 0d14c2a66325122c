"""Predictors: surrogates that learn scores from architectures, or from the beginnings of learning curves.

Each is imported when it is first used.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright.predictors.base import Predictor
    from netwright.predictors.encodings import Adjacency, Coordinates, OneHot, Paths, Positions
    from netwright.predictors.gaussian_process import GaussianProcess
    from netwright.predictors.gradient_boosting import GradientBoosting
    from netwright.predictors.graph_network import GraphNetwork
    from netwright.predictors.learning_curves import (
        CurvePredictor,
        CurveRegression,
        LastValue,
        ParametricCurves,
        SumOfTrainingLosses,
    )
    from netwright.predictors.mlp_ensemble import MLPEnsemble
    from netwright.predictors.random_forest import RandomForest
    from netwright.predictors.ridge import Ridge
    from netwright.predictors.warping import NormalScores

__all__ = [
    "PREDICTORS",
    "Adjacency",
    "Coordinates",
    "CurvePredictor",
    "CurveRegression",
    "GaussianProcess",
    "GradientBoosting",
    "GraphNetwork",
    "LastValue",
    "MLPEnsemble",
    "NormalScores",
    "OneHot",
    "ParametricCurves",
    "Paths",
    "Positions",
    "Predictor",
    "RandomForest",
    "Ridge",
    "SumOfTrainingLosses",
]

_WHERE = {
    "Adjacency": "encodings",
    "Coordinates": "encodings",
    "CurvePredictor": "learning_curves",
    "CurveRegression": "learning_curves",
    "GaussianProcess": "gaussian_process",
    "GradientBoosting": "gradient_boosting",
    "GraphNetwork": "graph_network",
    "LastValue": "learning_curves",
    "MLPEnsemble": "mlp_ensemble",
    "NormalScores": "warping",
    "OneHot": "encodings",
    "ParametricCurves": "learning_curves",
    "Paths": "encodings",
    "Positions": "encodings",
    "Predictor": "base",
    "RandomForest": "random_forest",
    "Ridge": "ridge",
    "SumOfTrainingLosses": "learning_curves",
}

_NAMED: dict[str, tuple[str, dict[str, Any]]] = {
    "gp": ("GaussianProcess", {}),
    "gp-hamming": ("GaussianProcess", {"kernel": "hamming"}),
    "gp-wl": ("GaussianProcess", {"kernel": "wl"}),
    "gradient-boosting": ("GradientBoosting", {}),
    "graph-network": ("GraphNetwork", {}),
    "mlp-ensemble": ("MLPEnsemble", {}),
    "random-forest": ("RandomForest", {}),
    "ridge": ("Ridge", {}),
}


class _Predictors(Mapping[str, "partial[Predictor]"]):
    """The predictors of architectures by name; ``PREDICTORS["gp-wl"](space)`` makes one."""

    def __getitem__(self, name: str) -> partial[Predictor]:
        kind, arguments = _NAMED[name]
        return partial(__getattr__(kind), **arguments)

    def __iter__(self) -> Iterator[str]:
        return iter(_NAMED)

    def __len__(self) -> int:
        return len(_NAMED)


PREDICTORS: Mapping[str, partial[Predictor]] = _Predictors()


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
