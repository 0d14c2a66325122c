"""The peak of memory: parameters, buffers, input and the activations that are alive at once."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from netwright.costs import shapes
from netwright.costs.base import Example, Inputs, meter


def peak_memory(network: nn.Module, example: Example, *, training: bool = False) -> float:
    """The most bytes alive at once while one example goes through: parameters, buffers, input and activations.

    With ``training`` the pass is forward and backward, so that what autograd keeps and the gradients count; the
    states of an optimizer do not. Storages are counted, not tensors: a view or an operation in place costs nothing,
    tied weights count once. The workspaces of kernels are not in it, nor what the allocator rounds up.
    """
    return meter(network, example, run_training if training else run_memory)


def activation_memory(network: nn.Module, example: Example) -> float:
    """:func:`peak_memory` less parameters and buffers: what one example needs beside the weights."""
    held = {
        value.untyped_storage()._cdata: value.untyped_storage().nbytes()
        for value in (*network.parameters(), *network.buffers())
    }
    return peak_memory(network, example) - sum(held.values())


def run_memory(network: nn.Module, rows: Inputs) -> float:
    """:func:`peak_memory` of the network as it is, on the device where it is."""
    with LiveSet() as alive, torch.no_grad():
        alive.add([*network.parameters(), *network.buffers(), *rows])
        network(*rows)
    return float(alive.peak)


def run_training(network: nn.Module, rows: Inputs) -> float:
    """As :func:`run_memory`, with a backward pass from the sum of the outputs."""
    # The caller's parameters must not keep a gradient. Evaluation mode stays: BatchNorm cannot train on one example.
    before = [(value, value.grad) for value in network.parameters()]
    for value, _ in before:
        value.grad = None
    try:
        with LiveSet() as alive, torch.enable_grad():
            alive.add([*network.parameters(), *network.buffers(), *rows])
            outputs = [
                value
                for value in tree_leaves(network(*rows))
                if isinstance(value, torch.Tensor) and value.requires_grad
            ]
            torch.autograd.backward(outputs, [torch.ones_like(value) for value in outputs])
        return float(alive.peak)
    finally:
        for value, gradient in before:
            value.grad = gradient


class LiveSet(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types here
    """Follows the storages that are alive: ``current`` and ``peak`` bytes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.current = 0
        self.peak = 0
        self._sizes: dict[int, int] = {}

    def add(self, tensors: list[Any]) -> None:
        """Counts the storages of these tensors until they are freed; one that is known already counts once."""
        for tensor in tensors:
            if not isinstance(tensor, torch.Tensor):
                continue
            storage = tensor.untyped_storage()
            address = storage._cdata
            size = storage.nbytes()
            known = self._sizes.get(address)
            if known is None:
                weakref.finalize(storage, self._freed, address).atexit = False
            # `resize_` and friends change the size of a storage that is known.
            self._sizes[address] = size
            self.current += size - (known or 0)
        self.peak = max(self.peak, self.current)

    def _freed(self, address: int) -> None:
        self.current -= self._sizes.pop(address)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Otherwise the first operation imports the compiler, a second of work that no cost needs.
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = shapes.run(func, args, kwargs or {})
        self.add([result] if isinstance(result, torch.Tensor) else tree_leaves(result))
        return result
