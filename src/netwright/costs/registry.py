"""The costs by name, and all that are asked of an architecture at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from netwright.architecture import Architecture
from netwright.costs.base import Cost, Inputs, meter
from netwright.costs.energy import Energy
from netwright.costs.latency import Latency
from netwright.costs.memory import LiveSet, activation_memory, peak_memory
from netwright.costs.operations import Operations, flops, macs
from netwright.costs.process import ProcessMemory
from netwright.costs.profiles import Profile
from netwright.costs.storage import size_mb
from netwright.costs.weights import parameters
from netwright.errors import InputError, nearest

if TYPE_CHECKING:
    from netwright.space import SearchSpace

COSTS: dict[str, Cost] = {
    "params": parameters,
    "macs": macs,
    "flops": flops,
    "memory": peak_memory,
    "activations": activation_memory,
    "size_mb": size_mb,
    "latency_ms": Latency(),
    "peak_memory": ProcessMemory(),
    "energy_j": Energy(),
}
"""Name → cost. ``params``, ``macs`` and ``flops`` are counts; ``memory`` and ``activations`` bytes, predicted on the
meta device; ``size_mb`` megabytes of a file. The rest is measured on this host: ``latency_ms`` milliseconds,
``peak_memory`` bytes of a worker, ``energy_j`` joules. What cannot be measured here is an InputError with the reason.
"""

MEASURED = ("latency_ms", "peak_memory", "energy_j")
"""Those that need a network with values and may differ from time to time."""


def require(names: Iterable[str], latency: Latency | Profile | None = None) -> None:
    """Raises InputError or MissingExtra, with the reason, where one of the named costs cannot be measured here."""
    for name in names:
        cost = latency if name == "latency_ms" and latency is not None else COSTS.get(name)
        if isinstance(cost, Latency | ProcessMemory | Energy):
            cost.require()


def measure(
    space: SearchSpace,
    architecture: Architecture,
    input_shape: tuple[int, ...],
    names: Iterable[str],
    *,
    dtype: torch.dtype = torch.float32,
    latency: Latency | Profile | None = None,
) -> dict[str, float]:
    """The named costs of an architecture whose input is one example of ``input_shape`` (no batch dimension).

    The network is built once, on the meta device, in no time and no memory; a constructor or a forward that reads
    the values of tensors is built on the CPU instead, as is one of which something is measured. ``latency`` says where
    latency is measured, or is a profile that predicts it. Nothing is memoised here. An unknown name is an InputError.
    """
    wanted = tuple(names)
    for name in wanted:
        if name not in COSTS:
            raise InputError(f"there is no cost '{name}'", hint=f"{nearest(name, COSTS)}.")
    with torch.random.fork_rng(devices=[]):
        network: nn.Module
        try:
            with torch.device("meta"):
                network = space.build(architecture)
            result = _counted(network, input_shape, dtype, wanted)
        except (RuntimeError, TypeError, ValueError):
            # The constructor (as drop-path schedules do) or the forward reads the value of a tensor.
            network = space.build(architecture)
            result = _counted(network, input_shape, dtype, wanted)
        costs: dict[str, Cost] = {name: COSTS[name] for name in MEASURED if name in wanted}
        if "latency_ms" in costs:
            if isinstance(latency, Latency):
                costs["latency_ms"] = latency
            elif latency is not None:
                del costs["latency_ms"]
                result["latency_ms"] = latency(space, architecture)
        if costs and any(value.is_meta for value in network.parameters()):
            network = space.build(architecture)
        for name, cost in costs.items():
            result[name] = cost(network, torch.zeros((1, *input_shape), dtype=dtype))
    return {name: result[name] for name in wanted}


def _counted(
    network: nn.Module, shape: tuple[int, ...], dtype: torch.dtype, names: tuple[str, ...]
) -> dict[str, float]:
    result = {"params": parameters(network)}
    if "size_mb" in names:
        result["size_mb"] = size_mb(network)
    if {"macs", "flops", "memory", "activations"} & {*names}:
        result |= meter(network, torch.zeros((1, *shape), dtype=dtype), _forward)
    return result


def _forward(network: nn.Module, rows: Inputs) -> dict[str, float]:
    with torch.no_grad(), _Survey() as seen:
        seen.alive.add([*network.parameters(), *network.buffers(), *rows])
        held = seen.alive.current - sum(row.untyped_storage().nbytes() for row in rows)
        network(*rows)
    return {
        "macs": seen.products / 2,
        "flops": float(seen.products + seen.pointwise),
        "memory": float(seen.alive.peak),
        "activations": float(seen.alive.peak - held),
    }


class _Survey(Operations):  # type: ignore[no-untyped-call]  # torch has no types here
    """Operations and memory in one pass: a mode each costs as much as the operations themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.alive = LiveSet()

    def count(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        super().count(func, args, kwargs, result)
        self.alive.add([result] if isinstance(result, torch.Tensor) else tree_leaves(result))
