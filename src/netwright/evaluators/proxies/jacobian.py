"""How differently the network answers to different inputs: correlations of the gradients by the inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netwright.errors import InputError
from netwright.evaluators.proxies.base import Loss, ProxyFailed, answer, proxy
from netwright.evaluators.proxies.calls import EMBEDDINGS, Call, Watch

K = 1e-5
"""Added to eigenvalues and correlations before the logarithm, as in both papers."""


@proxy("jacob_cov", wants=("inputs",), passes=3, source="Mellor et al. 2020 (first version); Abdelfattah et al. 2021")
def jacob_cov(network: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss, generator: torch.Generator) -> float:
    """−Σ (log(λ + k) + 1/(λ + k)), λ the eigenvalues of the correlations between the examples' Jacobians, k = 10⁻⁵.

    A Jacobian is the gradient of the sum of all answers by one input (by its embeddings for whole numbers). 64
    examples or more; compare networks on the same batch only. Fails where a gradient is constant: such a network does
    not look at its input, and for a single example.
    """
    if len(inputs) < 2:
        raise ProxyFailed("it compares two examples or more, found one")
    eigenvalues = np.linalg.eigvalsh(_correlations(jacobians(network, inputs)))
    shifted = np.maximum(eigenvalues, 0.0) + K
    return float(-np.sum(np.log(shifted) + 1 / shifted))


@proxy("epe_nas", wants=("inputs", "targets"), passes=3, source="Lopes et al. 2021")
def epe_nas(network: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss, generator: torch.Generator) -> float:
    """Correlations between the Jacobians of the examples of each class: e = Σ log(|correlation| + k), k = 10⁻⁵.

    To 100 classes Σ |e| over the classes; with more, e is divided by the number of examples of the class, and the sum
    of |e − e′| over all ordered pairs by the number of classes. The classes are those of the network's answers; one
    with less than two examples in the batch is left out, and without any left the proxy fails.
    """
    if targets.is_floating_point():
        raise ProxyFailed("the targets are values, and it compares examples of one class")
    if targets.dim() > 1:
        raise InputError(f"epe_nas takes one class an example, found targets of shape {tuple(targets.shape)}")
    rows = jacobians(network, inputs)
    with torch.no_grad():
        answers = answer(network, inputs[:2]).shape[-1]
    labels = targets.cpu().numpy()
    evaluations = []
    for label in np.unique(labels):
        members = rows[labels == label]
        if len(members) < 2:
            continue
        evaluation = float(np.sum(np.log(np.abs(_correlations(members)) + K)))
        evaluations.append(evaluation / len(members) if answers > 100 else evaluation)
    if not evaluations:
        raise ProxyFailed(f"no class has two of the {len(labels)} examples; a larger batch may")
    values = np.array(evaluations)
    if answers <= 100:
        return float(np.abs(values).sum())
    return float(np.abs(values[:, None] - values[None, :]).sum() / len(values))


def jacobians(network: nn.Module, inputs: Tensor) -> NDArray[np.float64]:
    """The gradient of the sum of all answers by each input, one row an example."""
    found: list[Tensor] = []
    if inputs.is_floating_point():
        leaf = inputs.detach().clone().requires_grad_(True)
        total = answer(network, leaf).sum()
    else:

        def embed(call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
            out: Tensor = call(*args, **kwargs).detach()
            if not found and len(out) == len(inputs):
                found.append(out.requires_grad_(True))
            return out

        with Watch({EMBEDDINGS: embed}):
            total = answer(network, inputs).sum()
        if not found:
            raise InputError("inputs of whole numbers have a gradient at an nn.Embedding, and the network has none")
        leaf = found[0]
    if not total.requires_grad:
        raise ProxyFailed("the network's answer does not depend on its input")
    (gradient,) = torch.autograd.grad(total, leaf, allow_unused=True)
    if gradient is None:
        raise ProxyFailed("the network's answer does not depend on its input")
    rows: NDArray[np.float64] = gradient.detach().flatten(1).double().cpu().numpy()
    if not np.isfinite(rows).all():
        raise ProxyFailed("the gradients by the inputs are not finite")
    return rows


def _correlations(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    constant = rows.max(1) == rows.min(1)
    if constant.any():
        raise ProxyFailed(f"the gradients by {int(constant.sum())} of {len(rows)} inputs are constant")
    found: NDArray[np.float64] = np.asarray(np.corrcoef(rows))
    return found
