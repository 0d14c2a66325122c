"""Netwright: neural architecture search for PyTorch.

``import netwright as nw`` is cheap: every name is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from netwright.version import VERSION as __version__

if TYPE_CHECKING:
    from netwright import evaluators, strategies, tasks, testing, training, zoo
    from netwright.architecture import Architecture
    from netwright.space import SearchSpace, choose, inputs, one_of, repeat, scope
    from netwright.strategies import oneshot
    from netwright.strategies.oneshot import OneShot
    from netwright.study import Study
    from netwright.tasks import (
        AudioClassifier,
        ImageClassifier,
        ImageRegressor,
        LanguageModel,
        MultiModal,
        NeuralArchitectureSearch,
        TabularClassifier,
        TabularRegressor,
        TextClassifier,
        TextRegressor,
        TimeSeriesClassifier,
        TimeSeriesForecaster,
        TimeSeriesRegressor,
    )
    from netwright.trial import Objective, Proposal, State, Trial

_WHERE = {
    "Architecture": "architecture",
    "ImageClassifier": "tasks",
    "ImageRegressor": "tasks",
    "LanguageModel": "tasks",
    "MultiModal": "tasks",
    "NeuralArchitectureSearch": "tasks",
    "Objective": "trial",
    "OneShot": "strategies.oneshot",
    "Proposal": "trial",
    "SearchSpace": "space",
    "State": "trial",
    "Study": "study",
    "TabularClassifier": "tasks",
    "TabularRegressor": "tasks",
    "TextClassifier": "tasks",
    "TextRegressor": "tasks",
    "TimeSeriesClassifier": "tasks",
    "TimeSeriesRegressor": "tasks",
    "TimeSeriesForecaster": "tasks",
    "AudioClassifier": "tasks",
    "Trial": "trial",
    "choose": "space",
    "inputs": "space",
    "one_of": "space",
    "repeat": "space",
    "scope": "space",
}
_ROOMS = {
    "evaluators": "evaluators",
    "oneshot": "strategies.oneshot",
    "strategies": "strategies",
    "tasks": "tasks",
    "testing": "testing",
    "training": "training",
    "zoo": "zoo",
}

__all__ = [
    "Architecture",
    "AudioClassifier",
    "ImageClassifier",
    "ImageRegressor",
    "LanguageModel",
    "MultiModal",
    "NeuralArchitectureSearch",
    "Objective",
    "OneShot",
    "Proposal",
    "SearchSpace",
    "State",
    "Study",
    "TabularClassifier",
    "TabularRegressor",
    "TextClassifier",
    "TextRegressor",
    "TimeSeriesClassifier",
    "TimeSeriesForecaster",
    "TimeSeriesRegressor",
    "Trial",
    "__version__",
    "choose",
    "evaluators",
    "inputs",
    "one_of",
    "oneshot",
    "repeat",
    "scope",
    "strategies",
    "tasks",
    "testing",
    "training",
    "zoo",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"netwright.{_ROOMS[name]}")
    if name in _WHERE:
        value = getattr(importlib.import_module(f"netwright.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'netwright' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
