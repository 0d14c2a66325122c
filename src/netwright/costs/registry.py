"""The costs by name, and all that are asked of an architecture at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from netwright.architecture import Architecture
from netwright.costs.base import Cost, Inputs, meter
from netwright.costs.latency import Latency
from netwright.costs.memory import LiveSet, peak_memory
from netwright.costs.operations import Operations, flops, macs
from netwright.costs.weights import parameters
from netwright.errors import InputError, nearest

if TYPE_CHECKING:
    from netwright.space import SearchSpace

COSTS: dict[str, Cost] = {
    "params": parameters,
    "macs": macs,
    "flops": flops,
    "memory": peak_memory,
    "latency_ms": Latency(),
}
"""Name → cost. ``params``, ``macs`` and ``flops`` are counts, ``memory`` bytes, ``latency_ms`` milliseconds."""


def measure(
    space: SearchSpace,
    architecture: Architecture,
    input_shape: tuple[int, ...],
    names: Iterable[str],
    *,
    dtype: torch.dtype = torch.float32,
    latency: Latency | None = None,
) -> dict[str, float]:
    """The named costs of an architecture whose input is one example of ``input_shape`` (no batch dimension).

    The network is built once, on the meta device, in no time and no memory; a constructor or a forward that reads
    the values of tensors is built on the CPU instead, as is one whose latency is asked for. Nothing is memoised
    here. An unknown name is an InputError.
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
        if "latency_ms" in wanted:
            if any(value.is_meta for value in network.parameters()):
                network = space.build(architecture)
            result["latency_ms"] = (latency or Latency())(network, torch.zeros((1, *input_shape), dtype=dtype))
    return {name: result[name] for name in wanted}


def _counted(
    network: nn.Module, shape: tuple[int, ...], dtype: torch.dtype, names: tuple[str, ...]
) -> dict[str, float]:
    result = {"params": parameters(network)}
    if {"macs", "flops", "memory"} & {*names}:
        result |= meter(network, torch.zeros((1, *shape), dtype=dtype), _forward)
    return result


def _forward(network: nn.Module, rows: Inputs) -> dict[str, float]:
    with torch.no_grad(), _Survey() as seen:
        seen.alive.add([*network.parameters(), *network.buffers(), *rows])
        network(*rows)
    return {
        "macs": seen.products / 2,
        "flops": float(seen.products + seen.pointwise),
        "memory": float(seen.alive.peak),
    }


class _Survey(Operations):  # type: ignore[no-untyped-call]  # torch has no types here
    """Operations and memory in one pass: a mode each costs as much as the operations themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.alive = LiveSet()

    def count(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        super().count(func, args, kwargs, result)
        self.alive.add([result] if isinstance(result, torch.Tensor) else tree_leaves(result))
