"""The number of arithmetic operations: multiply-accumulates, and floating-point operations.

The formulas are those of ``torch.utils.flop_counter``: convolutions, matrix products and attention, where one
multiply-accumulate is two operations.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from netwright.costs import shapes
from netwright.costs.base import Example, Inputs, meter

_aten = torch.ops.aten

# Data that is moved is not arithmetic, though ATen tags it as pointwise.
_MOVES = {_aten.clone, _aten.copy_, _aten.copy, _aten._to_copy, _aten.fill, _aten.fill_, _aten.zero_}


def macs(network: nn.Module, example: Example) -> float:
    """Multiply-accumulates of one forward pass over one example: half of what torch's flop counter says."""
    return meter(network, example, run_macs)


def flops(network: nn.Module, example: Example) -> float:
    """Floating-point operations of one forward pass over one example: 2 · macs, plus one for each element that a
    pointwise operation (sums of branches, activations) writes. Normalisation, pooling and softmax are not in it."""
    return meter(network, example, run_flops)


def run_macs(network: nn.Module, rows: Inputs) -> float:
    """:func:`macs` of the network as it is, on the device where it is."""
    with torch.no_grad(), Operations() as counted:
        network(*rows)
    return float(counted.products / 2)


def run_flops(network: nn.Module, rows: Inputs) -> float:
    """:func:`flops` of the network as it is, on the device where it is."""
    with torch.no_grad(), Operations() as counted:
        network(*rows)
    return float(counted.products + counted.pointwise)


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types here
    """Counts the operations of what runs inside it: ``products`` (two for a multiply-accumulate) and ``pointwise``."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.products = 0
        self.pointwise = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Otherwise the first operation imports the compiler, a second of work that no cost needs.
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        result = shapes.run(func, args, kwargs)
        self.count(func, args, kwargs, result)
        return result

    def count(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """Adds an operation that has run."""
        packet = func.overloadpacket
        if packet in flop_registry:
            self.products += int(flop_registry[packet](*args, **kwargs, out_val=result))
        elif packet in _VECTORS:
            # A matrix or vector times a vector: every element of the first factor is used once.
            self.products += 2 * args[_VECTORS[packet]].numel()
        elif torch.Tag.pointwise in func.tags and packet not in _MOVES:
            self.pointwise += sum(
                value.numel()
                for value in tree_leaves(result)
                if isinstance(value, torch.Tensor) and value.is_floating_point()
            )


# Products that torch's counter leaves out, with the place of the matrix among their arguments.
_VECTORS = {_aten.mv: 0, _aten.addmv: 1, _aten.dot: 0, _aten.vdot: 0}
