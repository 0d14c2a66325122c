"""What a network costs: parameters, operations, memory, time. Known before it is trained.

A cost is called with a network and an example (a tensor, or a tuple of tensors, whose first dimension counts
examples) and answers with one number, lower being cheaper. All costs are for one example; those that are not measured
(latency, energy, the memory of a process are) are found without arithmetic, on the meta device. Each leaves the network
and torch's generator as it found them. A :class:`Profile` knows the latency of a whole space, on whatever device.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright.costs.base import Cost
    from netwright.costs.energy import Energy
    from netwright.costs.latency import Latency
    from netwright.costs.memory import activation_memory, peak_memory
    from netwright.costs.operations import flops, macs
    from netwright.costs.process import ProcessMemory
    from netwright.costs.profiles import Profile
    from netwright.costs.profiling import profile
    from netwright.costs.registry import COSTS, measure, require
    from netwright.costs.runtimes import RUNTIMES
    from netwright.costs.storage import size_mb
    from netwright.costs.weights import parameters

NAMES = (
    "params", "macs", "flops", "memory", "activations", "size_mb", "latency_ms", "peak_memory", "energy_j",
)  # fmt: skip
"""The costs that objectives and constraints may name; known without importing torch."""

_WHERE = {
    "COSTS": "registry",
    "RUNTIMES": "runtimes",
    "Cost": "base",
    "Energy": "energy",
    "Latency": "latency",
    "ProcessMemory": "process",
    "Profile": "profiles",
    "activation_memory": "memory",
    "flops": "operations",
    "macs": "operations",
    "measure": "registry",
    "parameters": "weights",
    "peak_memory": "memory",
    "profile": "profiling",
    "require": "registry",
    "size_mb": "storage",
}

__all__ = [
    "COSTS", "NAMES", "RUNTIMES", "Cost", "Energy", "Latency", "ProcessMemory", "Profile", "activation_memory",
    "flops", "macs", "measure", "parameters", "peak_memory", "profile", "require", "size_mb",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = getattr(importlib.import_module(f"netwright.costs.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'netwright.costs' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
