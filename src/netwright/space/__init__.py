"""The search space: words that mark what is open, and :class:`SearchSpace`, which reads them.

Importing this room does not import torch; declaring a space does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright.space.arguments import arguments_for
    from netwright.space.decisions import Decision
    from netwright.space.graph import Graph
    from netwright.space.search_space import SearchSpace
    from netwright.space.size import Size
    from netwright.space.words import Inputs, choose, inputs, one_of, repeat, scope

_WHERE = {
    "Decision": "decisions",
    "Graph": "graph",
    "Inputs": "words",
    "SearchSpace": "search_space",
    "Size": "size",
    "arguments_for": "arguments",
    "choose": "words",
    "inputs": "words",
    "one_of": "words",
    "repeat": "words",
    "scope": "words",
}

__all__ = [
    "Decision",
    "Graph",
    "Inputs",
    "SearchSpace",
    "Size",
    "arguments_for",
    "choose",
    "inputs",
    "one_of",
    "repeat",
    "scope",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = getattr(importlib.import_module(f"netwright.space.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'netwright.space' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
