"""Gradients of the loss by the weights, summed in several ways: snip, grasp, plain, grad_norm, l2_norm, fisher."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from netwright.evaluators.proxies.base import Loss, ProxyFailed, answer, gradients, proxy, weights
from netwright.evaluators.proxies.calls import CONVOLUTIONS, LINEAR, Call, Watch


def _pairs(network: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss) -> list[tuple[Tensor, Tensor]]:
    """Each weight and its gradient."""
    tensors = weights(network)
    found = gradients(loss(answer(network, inputs), targets), tensors)
    return [(tensor.detach(), gradient) for tensor, gradient in zip(tensors, found, strict=True)]


@proxy("snip", wants=("inputs", "targets"), passes=3, source="Lee et al. 2019")
def snip(network: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss, generator: torch.Generator) -> float:
    """Σ |θ · ∂L/∂θ|: what the loss says of removing each weight."""
    return sum(float((tensor * gradient).abs().sum()) for tensor, gradient in _pairs(network, inputs, targets, loss))


@proxy("plain", wants=("inputs", "targets"), passes=3, source="Abdelfattah et al. 2021, after Mozer and Smolensky 1988")
def plain(network: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss, generator: torch.Generator) -> float:
    """Σ θ · ∂L/∂θ with its sign. Its correlation with accuracy is small and often negative."""
    return sum(float((tensor * gradient).sum()) for tensor, gradient in _pairs(network, inputs, targets, loss))


@proxy("grad_norm", wants=("inputs", "targets"), passes=3, source="Abdelfattah et al. 2021")
def grad_norm(network: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss, generator: torch.Generator) -> float:
    """Σ over layers of ‖∂L/∂θ‖₂."""
    return sum(float(gradient.norm()) for _, gradient in _pairs(network, inputs, targets, loss))


@proxy("l2_norm", wants=(), batch=1, passes=0, source="Abdelfattah et al. 2021")
def l2_norm(network: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss, generator: torch.Generator) -> float:
    """Σ over layers of ‖θ‖₂: the initialisation's scale and the number of weights, and nothing else."""
    return sum(float(tensor.detach().norm()) for tensor in weights(network))


@proxy("grasp", wants=("inputs", "targets"), passes=9, source="Wang et al. 2020; Abdelfattah et al. 2021")
def grasp(network: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss, generator: torch.Generator) -> float:
    """−Σ θ · (H g): g the gradient of the loss and H its Hessian, by a Hessian-vector product; temperature 1.

    The sign is that of Abdelfattah et al.; the original prunes by the opposite one. Which of them is better on a space
    must be found there. Fails where an operation has no second derivative.
    """
    tensors = weights(network)
    # Of the kernels of attention only the plain one can be differentiated twice.
    with sdpa_kernel(SDPBackend.MATH):
        value = loss(answer(network, inputs), targets)
        found = gradients(value, tensors, create_graph=True)
    along = sum(((gradient.detach() * gradient).sum() for gradient in found), torch.zeros((), device=value.device))
    try:
        products = gradients(along, tensors)
    except (RuntimeError, NotImplementedError) as error:
        raise ProxyFailed(f"an operation has no second derivative ({str(error).splitlines()[0]})") from None
    return -sum(float((tensor.detach() * product).sum()) for tensor, product in zip(tensors, products, strict=True))


@proxy("fisher", wants=("inputs", "targets"), passes=3, source="Turner et al. 2020; Abdelfattah et al. 2021")
def fisher(network: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss, generator: torch.Generator) -> float:
    """Σ over layers and channels of ½ · mean over examples of (Σ over positions of a · ∂L/∂a)².

    ``a`` are the outputs of convolutions (channels first) and linear layers (channels last). The activations of the
    whole batch are held until the end, as in training. Fails for a network without such layers.
    """
    seen: list[tuple[Tensor, int]] = []

    def of_convolution(call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        return note(call(*args, **kwargs), 1)

    def of_linear(call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        return note(call(*args, **kwargs), -1)

    def note(out: Tensor, channel: int) -> Tensor:
        if out.requires_grad and out.dim() > 1 and len(out) == len(inputs):
            seen.append((out, channel))
            # What follows may work in place; the gradient must be that of this very value.
            return out.clone()
        return out

    with Watch({CONVOLUTIONS: of_convolution, LINEAR: of_linear}):
        value = loss(answer(network, inputs), targets)
    if not seen:
        raise ProxyFailed("the network has neither a convolution nor a linear layer")
    found = gradients(value, [out for out, _ in seen])
    total = 0.0
    for (out, channel), gradient in zip(seen, found, strict=True):
        positions = [dim for dim in range(1, out.dim()) if dim != channel % out.dim()]
        product = out.detach() * gradient
        total += float((product.sum(positions) if positions else product).square().mean(0).sum() / 2)
    return total
