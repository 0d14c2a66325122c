"""Training: data in memory, splits, recipes, augmentation, the loop, inheritance, weights in files."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright.training.augmentation import augment
    from netwright.training.data import Data
    from netwright.training.inheritance import Inherited, inherit
    from netwright.training.loop import Fitted, credits, fit, predict, train_network
    from netwright.training.metrics import METRICS, direction
    from netwright.training.recipes import Recipe
    from netwright.training.splits import Split, split
    from netwright.training.weights import Loaded, load_weights, remove_weights, save_weights

_WHERE = {
    "Data": "data",
    "Fitted": "loop",
    "Inherited": "inheritance",
    "Loaded": "weights",
    "METRICS": "metrics",
    "Recipe": "recipes",
    "Split": "splits",
    "augment": "augmentation",
    "credits": "loop",
    "direction": "metrics",
    "fit": "loop",
    "inherit": "inheritance",
    "load_weights": "weights",
    "predict": "loop",
    "remove_weights": "weights",
    "save_weights": "weights",
    "split": "splits",
    "train_network": "loop",
}

__all__ = [
    "METRICS",
    "Data",
    "Fitted",
    "Inherited",
    "Loaded",
    "Recipe",
    "Split",
    "augment",
    "credits",
    "direction",
    "fit",
    "inherit",
    "load_weights",
    "predict",
    "remove_weights",
    "save_weights",
    "split",
    "train_network",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = getattr(importlib.import_module(f"netwright.training.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'netwright.training' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
