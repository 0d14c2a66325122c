"""The baselines that every proxy must be compared with: how many parameters, how many multiplications."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from netwright.evaluators.proxies.base import Loss, proxy, taking


@proxy("params", wants=(), mode="eval", batch=1, passes=0, source="a count")
def params(network: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss, generator: torch.Generator) -> float:
    """The number of parameters. As a proxy more is better; as a cost less is."""
    from netwright.costs import COSTS

    return COSTS["params"](network, inputs)


@proxy("macs", wants=("shape",), mode="eval", batch=1, passes=1, source="a count")
def macs(network: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss, generator: torch.Generator) -> float:
    """Multiply-accumulates of one example. As a proxy more is better; as a cost less is."""
    from netwright.costs import COSTS

    with taking(inputs):
        return COSTS["macs"](network, inputs)
