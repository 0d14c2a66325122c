"""The neural tangent kernel at initialisation."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from netwright.errors import InputError
from netwright.evaluators.proxies.base import Loss, ProxyFailed, answer, proxy, weights


@proxy("ntk", wants=("inputs",), direction="minimize", batch=32, passes=66, source="Chen et al. 2021 (TE-NAS)")
def ntk(
    network: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    loss: Loss,
    generator: torch.Generator,
    *,
    batch: int = 32,
    repeats: int = 3,
) -> float:
    """The condition number λmax/λmin of the kernel ⟨∂Σf(xᵢ)/∂θ, ∂Σf(xⱼ)/∂θ⟩ between the examples; lower is better.

    On ``batch`` examples at a time, the mean over at most ``repeats`` such parts of the batch (TE-NAS: 32 and 3). It
    costs one backward pass an example. The weights' gradients by the sum of an example's answers are taken, with
    BatchNorm over the part. Fails for a singular kernel.
    """
    if batch < 2 or repeats < 1:
        raise InputError(f"ntk needs two examples and one repeat or more, found batch={batch}, repeats={repeats}")
    if len(inputs) < 2:
        raise ProxyFailed("it compares two examples or more, found one")
    whole = max(1, len(inputs) // batch)
    parts = [inputs[place * batch : (place + 1) * batch] for place in range(min(repeats, whole))]
    return float(np.mean([_condition(network, part) for part in parts]))


def _condition(network: nn.Module, inputs: Tensor) -> float:
    tensors = weights(network)
    sums = answer(network, inputs).flatten(1).sum(1)
    if not sums.requires_grad:
        raise ProxyFailed("the network's answer depends on none of its weights")
    rows = []
    for place in range(len(inputs)):
        found = torch.autograd.grad(sums[place], tensors, retain_graph=place + 1 < len(inputs), allow_unused=True)
        rows.append(torch.cat([gradient.flatten() for gradient in found if gradient is not None]).double().cpu())
    matrix = torch.stack(rows)
    eigenvalues = np.linalg.eigvalsh((matrix @ matrix.T).numpy())
    if not np.isfinite(eigenvalues).all() or eigenvalues[0] <= 0:
        raise ProxyFailed("its kernel is singular: the gradients of some examples depend on those of others")
    return float(eigenvalues[-1] / eigenvalues[0])
