"""DARTS: Liu, Simonyan and Yang 2019, algorithm 1, first and second order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from netwright.arguments import not_negative, positive, positive_or_none, share_below_one
from netwright.errors import InputError
from netwright.space.traceless import generators_kept
from netwright.strategies.oneshot.duo import Duo, filled
from netwright.strategies.oneshot.method import Batch, Course, Method
from netwright.supernet.relaxations import Softmax
from netwright.supernet.supernet import Supernet
from netwright.training.loop import half_cosine


@final
class DARTS(Method):
    """DARTS: a step of the architecture's numbers on validation data, then one of the weights on training data.

    ``order=1`` takes the weights as they are. ``order=2`` takes them one step of SGD ahead, and approximates the
    product of Hessian and gradient by finite differences (equations 7 and 8, with ε = 0.01 / ‖∇w′‖). Defaults are the
    authors': 50 epochs, weights by SGD from .025 along a cosine to .001 with momentum .9, weight decay 3e-4 and
    gradients cut at 5, numbers by Adam with 3e-4, β (.5, .999) and weight decay 1e-3.
    """

    epochs, batch_size = 50, 64
    published_steps = 19_500

    def __init__(
        self,
        order: int = 1,
        *,
        lr: float = 0.025,
        min_lr: float = 0.001,
        momentum: float = 0.9,
        weight_decay: float = 3e-4,
        clip: float | None = 5.0,
        alpha_lr: float = 3e-4,
        alpha_weight_decay: float = 1e-3,
    ) -> None:
        if not isinstance(order, int) or isinstance(order, bool) or order not in (1, 2):
            raise InputError(f"DARTS: order is 1 or 2, found {order!r}")
        positive("DARTS", lr=lr, alpha_lr=alpha_lr)
        not_negative("DARTS", min_lr=min_lr, weight_decay=weight_decay, alpha_weight_decay=alpha_weight_decay)
        share_below_one("DARTS", momentum=momentum)
        positive_or_none("DARTS", clip=clip)
        self.order, self.lr, self.min_lr, self.momentum = order, lr, min_lr, momentum
        self.weight_decay, self.clip = weight_decay, clip
        self.alpha_lr, self.alpha_weight_decay = alpha_lr, alpha_weight_decay

    def start(self, supernet: Supernet, course: Course) -> None:
        self.relaxation = Softmax(supernet, seed=course.seed)
        self._duo = Duo(
            supernet,
            self.relaxation,
            course,
            weights=lambda w: torch.optim.SGD(w, self.lr, momentum=self.momentum, weight_decay=self.weight_decay),
            numbers=lambda a: torch.optim.Adam(
                a, self.alpha_lr, betas=(0.5, 0.999), weight_decay=self.alpha_weight_decay
            ),
            clip=self.clip,
        )
        self.stateful = self._duo.stateful
        if self.order == 2 and not isinstance(self._duo.weights_optimizer, torch.optim.SGD):
            raise InputError(
                "second-order DARTS looks one step of SGD ahead, and was given another optimiser for the weights",
                hint="Give torch.optim.SGD with its arguments, or use order=1",
            )

    def step(self, number: int, train: Batch, valid: Batch | None) -> Tensor:
        assert valid is not None
        duo = self._duo
        duo.course.pace(duo.weights_optimizer, number, lambda part: half_cosine(1.0, self.min_lr / self.lr, part))
        if self.order == 1:
            duo.learn_numbers(valid)
        else:
            duo.set_gradients(self._second_order(train, valid))
        return duo.learn_weights(train)

    def _second_order(self, train: Batch, valid: Batch) -> list[Tensor]:
        duo = self._duo
        weights, alphas, optimizer = duo.weights, duo.alphas, duo.weights_optimizer
        settings, kept = optimizer.param_groups[0], [w.detach().clone() for w in weights]
        rate, decay, momentum = settings["lr"], settings["weight_decay"], settings["momentum"]
        slopes = filled(torch.autograd.grad(duo.loss(train), weights, allow_unused=True), weights)
        with torch.no_grad():
            # One step ahead: w' = w - xi (grad + momentum * buffer + decay * w)
            for weight, slope in zip(weights, slopes, strict=True):
                state = optimizer.state.get(weight, {})
                buffer = state.get("momentum_buffer")
                move = slope + decay * weight
                if buffer is not None:
                    move = move + momentum * buffer
                weight.sub_(rate * move)
        found = torch.autograd.grad(duo.numbers_loss(valid), [*alphas, *weights], allow_unused=True)
        gradients, ahead = filled(found[: len(alphas)], alphas), filled(found[len(alphas) :], weights)
        norm = float(torch.stack([part.norm() for part in ahead]).norm())
        if norm > 0:
            epsilon = 0.01 / norm
            sides: list[list[Tensor]] = []
            for sign in (1.0, -1.0):
                _place(weights, kept, ahead, sign * epsilon)
                # Both sides drop out the same units: what other masks make of the loss would be divided by epsilon.
                with generators_kept(weights[0].device):
                    sides.append(filled(torch.autograd.grad(duo.loss(train), alphas, allow_unused=True), alphas))
            for gradient, plus, minus in zip(gradients, *sides, strict=True):
                gradient -= rate * (plus - minus) / (2 * epsilon)
        _place(weights, kept, ahead, 0.0)
        return gradients


def _place(weights: Sequence[Tensor], kept: Sequence[Tensor], along: Sequence[Tensor], by: float) -> None:
    with torch.no_grad():
        for weight, before, part in zip(weights, kept, along, strict=True):
            weight.copy_(before + by * part if by else before)
