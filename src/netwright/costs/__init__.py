"""What a network costs: parameters, operations, memory, time. Known before it is trained.

A cost is called with a network and an example (a tensor, or a tuple of tensors, whose first dimension counts
examples) and answers with one number, lower being cheaper. All costs but latency are for one example and are found
without arithmetic, on the meta device; each leaves the network and torch's generator as it found them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright.costs.base import Cost
    from netwright.costs.latency import Latency
    from netwright.costs.memory import peak_memory
    from netwright.costs.operations import flops, macs
    from netwright.costs.registry import COSTS, measure
    from netwright.costs.weights import parameters

NAMES = ("params", "macs", "flops", "memory", "latency_ms")
"""The costs that objectives and constraints may name; known without importing torch."""

_WHERE = {
    "COSTS": "registry",
    "Cost": "base",
    "Latency": "latency",
    "flops": "operations",
    "macs": "operations",
    "measure": "registry",
    "parameters": "weights",
    "peak_memory": "memory",
}

__all__ = ["COSTS", "NAMES", "Cost", "Latency", "flops", "macs", "measure", "parameters", "peak_memory"]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = getattr(importlib.import_module(f"netwright.costs.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'netwright.costs' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
