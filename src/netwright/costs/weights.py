"""The number of parameters."""

from __future__ import annotations

from torch import nn
from torch.nn.parameter import UninitializedParameter

from netwright.costs.base import Example
from netwright.errors import InputError


def parameters(network: nn.Module, example: Example | None = None) -> float:
    """How many numbers the network's parameters hold; one that is used in several places counts once.

    The example is not needed. Lazy modules know their sizes only after a first call: InputError until then.
    """
    lazy = [name for name, value in network.named_parameters() if isinstance(value, UninitializedParameter)]
    if lazy:
        raise InputError(
            f"the sizes of {', '.join(lazy[:3])} are not known yet",
            hint="Replace lazy modules by plain ones, or call the network once before it is measured.",
        )
    return float(sum(value.numel() for value in network.parameters()))
