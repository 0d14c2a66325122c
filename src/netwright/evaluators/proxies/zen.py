"""Zen-score: how far a small change of the input moves the last feature map, with BatchNorm's scaling given back."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from netwright.errors import InputError
from netwright.evaluators.proxies.base import Loss, ProxyFailed, noise, proxy, reinitialise
from netwright.evaluators.proxies.calls import BATCH_NORM, Call, Watch, subject
from netwright.evaluators.proxies.features import last_feature_map


@proxy("zen", wants=("shape",), batch=16, passes=8, source="Lin et al. 2021")
def zen(
    network: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    loss: Loss,
    generator: torch.Generator,
    *,
    repeats: int = 4,
    alpha: float = 0.01,
) -> float:
    """log E ‖f(x) − f(x + α ε)‖ + Σ log √(mean variance) over BatchNorm layers; x and ε are standard normal.

    f is the last feature map (:func:`~netwright.evaluators.proxies.features.last_feature_map`), the variance that of
    the batch before it is normalised, the norm Frobenius' as in the paper (the authors' code sums magnitudes). The
    weights are drawn from N(0, 1); the answer is the mean over ``repeats`` of them (32 in the paper). Fails for inputs
    of whole numbers, and where f is the same for all inputs.
    """
    if not inputs.is_floating_point():
        raise ProxyFailed("the inputs are whole numbers, to which no small change can be made")
    if repeats < 1:
        raise InputError(f"zen needs one repeat or more, found repeats={repeats}")
    total = 0.0
    for _ in range(repeats):
        reinitialise(network, "gaussian", generator)
        x = noise(inputs.shape, inputs, generator)
        change = alpha * noise(inputs.shape, inputs, generator)
        variances: list[float] = []

        def normalise(call: Call, args: tuple[Any, ...], kwargs: dict[str, Any], seen: list[float] = variances) -> Any:
            before = subject(args, kwargs).detach()
            dims = [dim for dim in range(before.dim()) if dim != 1]
            seen.append(float(before.double().var(dims, correction=0).mean()))
            return call(*args, **kwargs)

        with torch.no_grad():
            with Watch({BATCH_NORM: normalise}):
                here = last_feature_map(network, x)
            there = last_feature_map(network, x + change)
            distance = float((here - there).double().flatten(1).norm(dim=1).mean())
        if distance == 0:
            raise ProxyFailed("its features are the same for all inputs")
        # A layer that is fed a constant, behind a branch that leads from nowhere, scales nothing.
        total += math.log(distance) + sum(0.5 * math.log(variance) for variance in variances if variance > 0)
    return total / repeats
