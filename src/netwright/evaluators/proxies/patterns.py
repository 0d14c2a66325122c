"""Which units are on for which example: the codes of all activations, as naswot and SWAP compare them.

A unit is on where what goes into its activation function is positive. For ReLU that is where its output is positive
too; other functions (GELU, SiLU, tanh, …) are read by the same sign. Every call of an activation is seen, whether a
module makes it or plain code, except inside fused LSTM and GRU layers; softmax, gated products (GLU) and maxima are
not counted as activations.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netwright.errors import InputError
from netwright.evaluators.proxies.base import Loss, ProxyFailed, answer, proxy
from netwright.evaluators.proxies.calls import ACTIVATIONS, Call, Watch, subject


def codes(network: nn.Module, inputs: Tensor, see: Callable[[Tensor], None]) -> None:
    """Runs the network and hands on the code of each activation: a bool matrix, one row an example.

    Raises ProxyFailed where there is no activation whose first (or, for sequences, second) dimension is the batch.
    """
    count = 0

    def note(call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        nonlocal count
        before = subject(args, kwargs)
        # Before the call: it may work in place.
        if before.dim() > 1 and len(before) == len(inputs):
            see((before.detach() > 0).flatten(1))
            count += 1
        elif before.dim() > 2 and before.shape[1] == len(inputs):
            see((before.detach() > 0).transpose(0, 1).flatten(1))
            count += 1
        return call(*args, **kwargs)

    with torch.no_grad(), Watch({ACTIVATIONS: note}):
        answer(network, inputs)
    if not count:
        raise ProxyFailed("the network calls no activation function")


@proxy("naswot", wants=("inputs",), batch=128, passes=1, source="Mellor et al. 2021")
def naswot(network: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss, generator: torch.Generator) -> float:
    """log |det K|, K the number of units on which two examples agree: Σ c cᵀ + (1 − c)(1 − c)ᵀ over all activations.

    Fails where two examples have one code, so that K is singular.
    """
    kernel = np.zeros((len(inputs), len(inputs)))

    def see(code: Tensor) -> None:
        nonlocal kernel
        kernel = kernel + agreements(code)

    codes(network, inputs, see)
    return log_determinant(kernel)


def agreements(code: Tensor) -> NDArray[np.float64]:
    """On how many units each two rows of a bool matrix agree."""
    # Counts are exact in float32 to 2²⁴ units at once.
    both = torch.zeros(len(code), len(code), dtype=torch.float64)
    ones = torch.zeros(len(code), dtype=torch.float64)
    for part in torch.split(code, 1 << 22, dim=1):
        number = part.float()
        both += (number @ number.T).double().cpu()
        ones += part.sum(1).double().cpu()
    found: NDArray[np.float64] = (code.shape[1] - ones[:, None] - ones[None, :] + 2 * both).numpy()
    return found


def log_determinant(kernel: NDArray[np.float64]) -> float:
    """log |det|; ProxyFailed for a singular matrix."""
    sign, value = np.linalg.slogdet(kernel)
    if sign == 0:
        raise ProxyFailed("two examples light the same units, so that the determinant is zero")
    return float(value)


@proxy("swap", wants=("inputs",), passes=1, source="Peng et al. 2024")
def swap(
    network: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    loss: Loss,
    generator: torch.Generator,
    *,
    mu: float | None = None,
    sigma: float | None = None,
) -> float:
    """The number of different patterns among all units, a pattern being for which examples a unit is on.

    With ``mu`` and ``sigma``, both in parameters, the regularised one: times exp(−((params − mu)/sigma)²).
    """
    if (mu is None) != (sigma is None):
        raise InputError("swap takes mu and sigma together, found one of them")
    patterns: list[NDArray[np.uint8]] = []

    def see(code: Tensor) -> None:
        packed = np.packbits(code.cpu().numpy().T, axis=1)
        patterns.append(distinct(packed))

    codes(network, inputs, see)
    score = float(len(distinct(np.concatenate(patterns))))
    if mu is None or sigma is None:
        return score
    return regularised(score, sum(value.numel() for value in network.parameters()), mu, sigma)


def regularised(score: float, params: float, mu: float, sigma: float) -> float:
    """A SWAP score led towards networks of about ``mu`` parameters: times exp(−((params − mu)/sigma)²)."""
    return score * math.exp(-(((params - mu) / sigma) ** 2))


def distinct(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The different rows of a matrix of bytes."""
    whole = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1]))).ravel()
    found: NDArray[np.uint8] = np.unique(whole).view(np.uint8).reshape(-1, rows.shape[1])
    return found
