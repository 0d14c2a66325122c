"""Synflow: how much of a flow that is let through the network passes each weight."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from netwright.evaluators.proxies.base import Loss, ProxyFailed, answer, gradients, proxy, weights
from netwright.evaluators.proxies.calls import ACTIVATIONS, EMBEDDINGS, NORMS, Call, Watch, first


@proxy("synflow", wants=("shape",), mode="eval", batch=1, passes=3, source="Tanaka et al. 2020")
def synflow(network: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss, generator: torch.Generator) -> float:
    """log Σ |θ · ∂R/∂θ| over the weights, R being the sum of the answers to an input of ones under |θ|.

    No data are looked at: one example of ones in the shape of ``inputs``, or ones in place of embeddings where inputs
    are whole numbers. Norms and activations are passed by; for ReLU networks that changes nothing, since all that
    flows is positive. Computed in float64, and its logarithm is the answer: values to 10⁶¹ are usual. Fails where
    nothing flows from input to output, and where the flow exceeds float64 (10³⁰⁸).
    """
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.is_floating_point():
                parameter.data = parameter.data.abs().double()
        for buffer in network.buffers():
            # As they are: of a mask with −∞ the magnitude would be nonsense.
            if buffer.is_floating_point():
                buffer.data = buffer.data.double()
    example = torch.ones_like(inputs[:1])
    example = example.double() if example.is_floating_point() else example
    with Watch({ACTIVATIONS: first, NORMS: first, EMBEDDINGS: _ones}):
        flow = answer(network, example).sum()
    tensors = weights(network)
    found = gradients(flow, tensors)
    total = sum(float((one.detach() * gradient).abs().sum()) for one, gradient in zip(tensors, found, strict=True))
    if total == 0:
        raise ProxyFailed("nothing flows from the input to the output")
    if not math.isfinite(total):
        raise ProxyFailed("the flow is larger than any float64")
    return math.log(total)


def _ones(call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Ones in place of embeddings."""
    return torch.ones_like(call(*args, **kwargs).detach())
