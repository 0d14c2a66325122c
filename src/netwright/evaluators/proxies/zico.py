"""ZiCo: gradients that are large and alike from batch to batch."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from netwright.errors import InputError
from netwright.evaluators.proxies.base import Loss, ProxyFailed, answer, gradients, proxy, weights


@proxy("zico", wants=("inputs", "targets"), passes=3, source="Li et al. 2023")
def zico(
    network: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss, generator: torch.Generator, *, batches: int = 2
) -> float:
    """Σ over layers of log Σ over weights of mean |∂L/∂θ| / deviation of ∂L/∂θ, over ``batches`` parts of the batch.

    The deviation is that of a population; a weight without any is left out, and so is a layer without weights left.
    """
    if not 2 <= batches <= len(inputs):
        raise InputError(f"zico compares 2 to {len(inputs)} parts of {len(inputs)} examples, found batches={batches}")
    tensors = weights(network)
    parts = zip(inputs.chunk(batches), targets.chunk(batches), strict=True)
    found = [gradients(loss(answer(network, x), y), tensors) for x, y in parts]
    total, layers = 0.0, 0
    for each in zip(*found, strict=True):
        stacked = torch.stack([gradient.detach().flatten() for gradient in each])
        deviation = stacked.std(0, correction=0)
        some = deviation > 0
        inverse = float((stacked.abs().mean(0)[some] / deviation[some]).double().sum())
        if inverse > 0:
            total += math.log(inverse)
            layers += 1
    if not layers:
        raise ProxyFailed("no weight has gradients that differ between the parts of the batch")
    return total
