"""Weights and the architecture's numbers, each with its optimiser: what the gradient-based methods have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from netwright.strategies.oneshot.method import Batch, Course, MakeOptimizer, Stateful, clipped_step, loss_at
from netwright.supernet.relaxations import Relaxation
from netwright.supernet.supernet import Supernet


def filled(found: Sequence[Tensor | None], like: Sequence[Tensor]) -> list[Tensor]:
    """Gradients, with zeros where nothing depends on what they are of: an option that is nothing cuts off the rest."""
    return [torch.zeros_like(other) if part is None else part for part, other in zip(found, like, strict=True)]


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
        self.weights_optimizer = (course.optimizer or weights)(self.weights)
        self.numbers_optimizer = course.learner(self.alphas, numbers)

    @property
    def stateful(self) -> dict[str, Stateful]:
        """What a checkpoint must hold of it."""
        return {
            "numbers": self.relaxation,
            "weights_optimizer": self.weights_optimizer,
            "numbers_optimizer": self.numbers_optimizer,
            "draws": self.generator,
        }

    def loss(self, batch: Batch) -> Tensor:
        """The loss with ways that are drawn anew."""
        return loss_at(self.supernet, self.relaxation.ways(self.generator), self.course, batch)

    def learn_numbers(self, batch: Batch) -> None:
        """A step of the numbers; the weights and their gradients stay as they are."""
        found = torch.autograd.grad(self.numbers_loss(batch), self.alphas, allow_unused=True)
        self.set_gradients(filled(found, self.alphas))

    def numbers_loss(self, batch: Batch) -> Tensor:
        """What the numbers learn from: the loss, with what networks cost and the relaxation's own penalty."""
        loss = self.course.penalized(self.loss(batch), self.relaxation.chances())
        penalty = self.relaxation.penalty()
        return loss if penalty is None else loss + penalty

    def set_gradients(self, gradients: tuple[Tensor, ...] | list[Tensor]) -> None:
        """A step of the numbers along these gradients."""
        for alpha, gradient in zip(self.alphas, gradients, strict=True):
            alpha.grad = gradient
        self.numbers_optimizer.step()
        self.settled()

    def settled(self) -> None:
        """After each step of the numbers."""
        if self.course.hardware is not None:
            self.course.hardware.settled(self.relaxation.chances())

    def learn_weights(self, batch: Batch) -> Tensor:
        """A step of the weights; the numbers stay as they are. The loss, without a gradient."""
        self.weights_optimizer.zero_grad(set_to_none=True)
        loss = self.loss(batch)
        torch.autograd.backward(loss, inputs=self.weights)
        clipped_step(self.weights_optimizer, self.weights, self.clip)
        return loss.detach()
