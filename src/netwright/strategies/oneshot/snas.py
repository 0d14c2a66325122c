"""SNAS: Xie, Zheng, Liu and Lin 2019: one relaxed draw a step, weights and numbers from the same training loss."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from netwright.arguments import not_negative, positive
from netwright.strategies.oneshot.duo import Duo
from netwright.strategies.oneshot.method import Batch, Course, Method, clipped_step
from netwright.supernet.relaxations import Gumbel, temperature
from netwright.supernet.supernet import Supernet
from netwright.training.loop import half_cosine


@final
class SNAS(Method):
    """SNAS: mixtures drawn at a temperature that falls; weights and numbers learn from one loss.

    Every decision is a draw from a concrete distribution, whose temperature falls geometrically from ``start`` to
    ``end``. There is one loss, on all training data, for the weights and the numbers together. The optimisers are those
    of DARTS, as in the paper's comparison.
    """

    epochs, batch_size, halves = 150, 64, False
    published_steps = 117_000

    def __init__(
        self, *, lr: float = 0.025, min_lr: float = 0.001, alpha_lr: float = 3e-4, start: float = 1.0, end: float = 0.03
    ) -> None:
        positive("SNAS", lr=lr, alpha_lr=alpha_lr, start=start, end=end)
        not_negative("SNAS", min_lr=min_lr)
        self.lr, self.min_lr, self.alpha_lr = lr, min_lr, alpha_lr
        self.first, self.last = start, end

    def start(self, supernet: Supernet, course: Course) -> None:
        self.relaxation = self._draws = Gumbel(supernet, seed=course.seed)
        self._duo = Duo(
            supernet,
            self.relaxation,
            course,
            weights=lambda w: torch.optim.SGD(w, self.lr, momentum=0.9, weight_decay=3e-4),
            numbers=lambda a: torch.optim.Adam(a, self.alpha_lr, betas=(0.5, 0.999), weight_decay=1e-3),
        )
        self.stateful = self._duo.stateful

    def step(self, number: int, train: Batch, valid: Batch | None) -> Tensor:
        duo = self._duo
        duo.course.pace(duo.weights_optimizer, number, lambda part: half_cosine(1.0, self.min_lr / self.lr, part))
        self._draws.temperature = temperature(self.first, self.last, number, duo.course.steps, geometric=True)
        duo.weights_optimizer.zero_grad(set_to_none=True)
        duo.numbers_optimizer.zero_grad(set_to_none=True)
        loss = duo.loss(train)
        torch.autograd.backward(duo.course.penalized(loss, self._draws.probabilities()))
        duo.numbers_optimizer.step()
        duo.settled()
        clipped_step(duo.weights_optimizer, duo.weights, 5.0)
        return loss.detach()
