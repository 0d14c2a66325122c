"""Predictors: surrogates that learn scores from architectures. Each is imported when it is first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright.predictors.base import Predictor
    from netwright.predictors.encodings import Adjacency, Coordinates, OneHot, Paths, Positions
    from netwright.predictors.gaussian_process import GaussianProcess
    from netwright.predictors.mlp_ensemble import MLPEnsemble
    from netwright.predictors.random_forest import RandomForest
    from netwright.predictors.ridge import Ridge
    from netwright.predictors.warping import NormalScores

__all__ = [
    "Adjacency",
    "Coordinates",
    "GaussianProcess",
    "MLPEnsemble",
    "NormalScores",
    "OneHot",
    "Paths",
    "Positions",
    "Predictor",
    "RandomForest",
    "Ridge",
]

_WHERE = {
    "Adjacency": "encodings",
    "Coordinates": "encodings",
    "GaussianProcess": "gaussian_process",
    "MLPEnsemble": "mlp_ensemble",
    "NormalScores": "warping",
    "OneHot": "encodings",
    "Paths": "encodings",
    "Positions": "encodings",
    "Predictor": "base",
    "RandomForest": "random_forest",
    "Ridge": "ridge",
}


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
