"""Tasks: from people's data to a network; estimators in the manner of scikit-learn."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright.tasks.estimators import (
        AudioClassifier,
        ImageClassifier,
        ImageRegressor,
        MultiModal,
        NeuralArchitectureSearch,
        TabularClassifier,
        TabularRegressor,
        TextClassifier,
        TextRegressor,
        TimeSeriesClassifier,
        TimeSeriesRegressor,
    )
    from netwright.tasks.forecaster import TimeSeriesForecaster
    from netwright.tasks.job import resume, search
    from netwright.tasks.language_model import LanguageModel
    from netwright.tasks.outcome import Outcome
    from netwright.tasks.overview import show
    from netwright.tasks.prediction import predict
    from netwright.tasks.readers import Loaded, read

_WHERE = {
    "ImageClassifier": "estimators",
    "ImageRegressor": "estimators",
    "LanguageModel": "language_model",
    "Loaded": "readers",
    "MultiModal": "estimators",
    "NeuralArchitectureSearch": "estimators",
    "Outcome": "outcome",
    "TabularClassifier": "estimators",
    "TabularRegressor": "estimators",
    "TextClassifier": "estimators",
    "TextRegressor": "estimators",
    "TimeSeriesClassifier": "estimators",
    "TimeSeriesRegressor": "estimators",
    "TimeSeriesForecaster": "forecaster",
    "AudioClassifier": "estimators",
    "predict": "prediction",
    "read": "readers",
    "resume": "job",
    "search": "job",
    "show": "overview",
}

__all__ = [
    "AudioClassifier",
    "ImageClassifier",
    "ImageRegressor",
    "LanguageModel",
    "Loaded",
    "MultiModal",
    "NeuralArchitectureSearch",
    "Outcome",
    "TabularClassifier",
    "TabularRegressor",
    "TextClassifier",
    "TextRegressor",
    "TimeSeriesClassifier",
    "TimeSeriesForecaster",
    "TimeSeriesRegressor",
    "predict",
    "read",
    "resume",
    "search",
    "show",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(f"netwright.tasks.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'netwright.tasks' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
