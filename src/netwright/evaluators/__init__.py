"""Evaluators: functions from a candidate to numbers."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright.evaluators.base import Candidate, Evaluator, Heritage
    from netwright.evaluators.proxies import Proxies, WithProxies
    from netwright.evaluators.shared_weights import SharedWeights
    from netwright.evaluators.tables import Table, TableEvaluator, open_table
    from netwright.evaluators.train import Train

_WHERE = {
    "Candidate": "base",
    "Evaluator": "base",
    "Heritage": "base",
    "Proxies": "proxies",
    "SharedWeights": "shared_weights",
    "Table": "tables",
    "TableEvaluator": "tables",
    "Train": "train",
    "WithProxies": "proxies",
    "open_table": "tables",
}

__all__ = [
    "Candidate",
    "Evaluator",
    "Heritage",
    "Proxies",
    "SharedWeights",
    "Table",
    "TableEvaluator",
    "Train",
    "WithProxies",
    "open_table",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = getattr(importlib.import_module(f"netwright.evaluators.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'netwright.evaluators' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
