"""The bench: strategies compared on tables, with tests instead of anecdotes."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright.bench.comparing import Standing, compare
    from netwright.bench.comparison import Comparison, Pair, Runs
    from netwright.bench.landscapes import Landscape, landscape
    from netwright.bench.measures import Measure, read_measure
    from netwright.bench.race import Race

_WHERE = {
    "Comparison": "comparison",
    "Landscape": "landscapes",
    "Measure": "measures",
    "Pair": "comparison",
    "Race": "race",
    "Runs": "comparison",
    "Standing": "comparing",
    "compare": "comparing",
    "landscape": "landscapes",
    "read_measure": "measures",
}

__all__ = [
    "Comparison",
    "Landscape",
    "Measure",
    "Pair",
    "Race",
    "Runs",
    "Standing",
    "compare",
    "landscape",
    "read_measure",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = getattr(importlib.import_module(f"netwright.bench.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'netwright.bench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
