"""Predictors: surrogates that learn scores from architectures. Each is imported when it is first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright.predictors.base import Predictor
    from netwright.predictors.encodings import Adjacency, Coordinates, OneHot, Paths, Positions
    from netwright.predictors.gaussian_process import GaussianProcess
    from netwright.predictors.warping import NormalScores

__all__ = [
    "Adjacency",
    "Coordinates",
    "GaussianProcess",
    "NormalScores",
    "OneHot",
    "Paths",
    "Positions",
    "Predictor",
]

_WHERE = {
    "Adjacency": "encodings",
    "Coordinates": "encodings",
    "GaussianProcess": "gaussian_process",
    "NormalScores": "warping",
    "OneHot": "encodings",
    "Paths": "encodings",
    "Positions": "encodings",
    "Predictor": "base",
}


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
