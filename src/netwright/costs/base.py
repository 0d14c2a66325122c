"""The contract of a cost, and the ways in which a network is run to find one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Protocol, TypeVar

import torch
import torch.nn.attention
from torch import nn

from netwright.errors import InputError
from netwright.space.traceless import evaluating

T = TypeVar("T")
Inputs = tuple[torch.Tensor, ...]
Example = torch.Tensor | Inputs
"""What a network is called with: a tensor, or a tuple of them; the first dimension of each counts examples."""


class Cost(Protocol):
    """One number for a network, lower being cheaper; the network stays as it was."""

    def __call__(self, network: nn.Module, example: Example, /) -> float: ...


def as_inputs(example: Example) -> Inputs:
    """The example as a tuple of tensors; raises InputError for anything else."""
    inputs = example if isinstance(example, tuple) else (example,)
    if not inputs or not all(isinstance(value, torch.Tensor) and value.dim() > 0 for value in inputs):
        raise InputError("an example is a tensor, or a tuple of tensors, whose first dimension counts examples")
    return inputs


def first(example: Example) -> Inputs:
    """One example alone: the first row of each tensor."""
    return tuple(value.detach()[:1] for value in as_inputs(example))


def on_meta(network: nn.Module) -> nn.Module:
    """A copy of the network on the meta device: no weight is copied, no memory is taken."""
    memo: dict[int, Any] = {}
    for module in network.modules():
        for held in (module._parameters, module._buffers, module.__dict__):
            for value in held.values():
                if isinstance(value, torch.Tensor):
                    memo[id(value)] = _like(value)
    return copy.deepcopy(network, memo)


def _like(value: torch.Tensor) -> torch.Tensor:
    empty = torch.empty_like(value, device="meta", requires_grad=False)
    if isinstance(value, nn.Parameter):
        return nn.Parameter(empty, requires_grad=value.requires_grad)
    return empty


def meter(network: nn.Module, example: Example, run: Callable[[nn.Module, Inputs], T]) -> T:
    """What ``run`` answers for a copy of the network in evaluation mode and one example, both on the meta device.

    A network that asks for the values of its tensors cannot run there: it is copied and run on the CPU, with the
    operations that the meta device would have seen (no fused kernels of LSTM and attention).
    """
    rows = first(example)
    there = _all_on_meta(network)
    try:
        twin = network if there else on_meta(network)
        return measured(twin, tuple(torch.empty_like(row, device="meta") for row in rows), run)
    except (RuntimeError, TypeError, ValueError):
        if there:
            raise
    return measured(copy.deepcopy(network).to("cpu"), tuple(row.cpu() for row in rows), run)


def measured(network: nn.Module, rows: Inputs, run: Callable[[nn.Module, Inputs], T]) -> T:
    """``run`` on the network itself, in evaluation mode; modes and torch's generator are put back."""
    kernels = nullcontext() if rows[0].is_meta else _plain_kernels()
    with evaluating(network), torch.random.fork_rng(devices=[]), kernels:
        return run(network, rows)


@contextmanager
def _plain_kernels() -> Iterator[None]:
    fast = torch.backends.mha.get_fastpath_enabled()
    # `torch.backends.mkldnn.flags` sets more than it is asked to, and warns about that.
    mkldnn = torch._C._get_mkldnn_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    torch._C._set_mkldnn_enabled(False)
    try:
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            yield
    finally:
        torch._C._set_mkldnn_enabled(mkldnn)
        torch.backends.mha.set_fastpath_enabled(fast)


def _all_on_meta(network: nn.Module) -> bool:
    tensors = [*network.parameters(), *network.buffers()]
    return bool(tensors) and all(tensor.is_meta for tensor in tensors)
