"""GDAS: Dong and Yang 2019: one operation runs, drawn, and the gradient is that of the relaxed draw."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from netwright.arguments import not_negative, positive
from netwright.strategies.oneshot.duo import Duo
from netwright.strategies.oneshot.method import Batch, Course, Method
from netwright.supernet.relaxations import HardGumbel, temperature
from netwright.supernet.supernet import Supernet
from netwright.training.loop import half_cosine


@final
class GDAS(Method):
    """GDAS: in turns as DARTS, with one operation drawn at a time, at a temperature that falls along a line.

    It falls from ``start`` to ``end``. 250 epochs; weights by SGD from .025 along a cosine to .001, numbers by Adam
    with 3e-4 and weight decay 1e-3.
    """

    epochs, batch_size = 250, 64
    published_steps = 97_500

    def __init__(
        self, *, lr: float = 0.025, min_lr: float = 0.001, alpha_lr: float = 3e-4, start: float = 10.0, end: float = 0.1
    ) -> None:
        positive("GDAS", lr=lr, alpha_lr=alpha_lr, start=start, end=end)
        not_negative("GDAS", min_lr=min_lr)
        self.lr, self.min_lr, self.alpha_lr = lr, min_lr, alpha_lr
        self.first, self.last = start, end

    def start(self, supernet: Supernet, course: Course) -> None:
        self.relaxation = self._draws = HardGumbel(supernet, seed=course.seed)
        self._duo = Duo(
            supernet,
            self.relaxation,
            course,
            weights=lambda w: torch.optim.SGD(w, self.lr, momentum=0.9, weight_decay=3e-4, nesterov=True),
            numbers=lambda a: torch.optim.Adam(a, self.alpha_lr, betas=(0.5, 0.999), weight_decay=1e-3),
            clip=5.0,
        )
        self.stateful = self._duo.stateful

    def step(self, number: int, train: Batch, valid: Batch | None) -> Tensor:
        assert valid is not None
        duo = self._duo
        duo.course.pace(duo.weights_optimizer, number, lambda part: half_cosine(1.0, self.min_lr / self.lr, part))
        self._draws.temperature = temperature(self.first, self.last, number, duo.course.steps)
        loss = duo.learn_weights(train)
        duo.learn_numbers(valid)
        return loss
