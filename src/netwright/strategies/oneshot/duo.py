"""Weights and the architecture's numbers, each with its optimiser: what the gradient-based methods have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor

from netwright.strategies.oneshot.method import Batch, Course, clipped_step, loss_at
from netwright.supernet.relaxations import Relaxation
from netwright.supernet.supernet import Supernet

MakeOptimizer = Callable[[list[torch.nn.Parameter]], torch.optim.Optimizer]


@final
class Duo:
    """A supernet and a relaxation that learn in turns; all draws follow the course's seed."""

    def __init__(
        self,
        supernet: Supernet,
        relaxation: Relaxation,
        course: Course,
        *,
        weights: MakeOptimizer,
        numbers: MakeOptimizer,
        clip: float | None = None,
    ) -> None:
        self.supernet, self.relaxation, self.course, self.clip = supernet, relaxation, course, clip
        self.generator = torch.Generator().manual_seed(course.seed)
        self.weights = list(supernet.network.parameters())
        self.alphas = list(relaxation.parameters())
        self.weights_optimizer, self.numbers_optimizer = weights(self.weights), numbers(self.alphas)

    def loss(self, batch: Batch) -> Tensor:
        """The loss with ways that are drawn anew."""
        return loss_at(self.supernet, self.relaxation.ways(self.generator), self.course.loss, batch)

    def learn_numbers(self, batch: Batch) -> None:
        """A step of the numbers; the weights and their gradients stay as they are."""
        loss = self.loss(batch)
        penalty = self.relaxation.penalty()
        self.set_gradients(torch.autograd.grad(loss if penalty is None else loss + penalty, self.alphas))

    def set_gradients(self, gradients: tuple[Tensor, ...] | list[Tensor]) -> None:
        """A step of the numbers along these gradients."""
        for alpha, gradient in zip(self.alphas, gradients, strict=True):
            alpha.grad = gradient
        self.numbers_optimizer.step()

    def learn_weights(self, batch: Batch) -> Tensor:
        """A step of the weights; the numbers stay as they are. The loss, without a gradient."""
        self.weights_optimizer.zero_grad(set_to_none=True)
        loss = self.loss(batch)
        torch.autograd.backward(loss, inputs=self.weights)
        clipped_step(self.weights_optimizer, self.weights, self.clip)
        return loss.detach()
