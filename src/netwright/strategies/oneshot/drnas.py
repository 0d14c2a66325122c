"""DrNAS: Chen, Wang, Cheng, Tang and Hsieh 2021: mixtures drawn from Dirichlet distributions that learn."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from netwright.arguments import not_negative, positive
from netwright.strategies.oneshot.duo import Duo
from netwright.strategies.oneshot.method import Batch, Course, Method
from netwright.supernet.relaxations import Dirichlet
from netwright.supernet.supernet import Supernet
from netwright.training.loop import half_cosine


@final
class DrNAS(Method):
    """DrNAS: in turns as DARTS, with mixtures drawn from Dirichlet distributions that learn.

    The loss of the numbers holds them near the uniform Dirichlet; ``anchor`` is the weight of that divergence (1e-3 in
    the authors' code). The progressive scheme of the paper, with partial channels and operations pruned on the way, is
    not built: this is its plain search.
    """

    epochs, batch_size = 100, 64
    published_steps = 39_000

    def __init__(
        self, *, lr: float = 0.025, min_lr: float = 0.001, alpha_lr: float = 3e-4, anchor: float = 1e-3
    ) -> None:
        positive("DrNAS", lr=lr, alpha_lr=alpha_lr)
        not_negative("DrNAS", min_lr=min_lr, anchor=anchor)
        self.lr, self.min_lr, self.alpha_lr, self.anchor = lr, min_lr, alpha_lr, anchor

    def start(self, supernet: Supernet, course: Course) -> None:
        self.relaxation = relaxation = Dirichlet(supernet, seed=course.seed)
        relaxation.anchor = self.anchor
        self._duo = Duo(
            supernet,
            relaxation,
            course,
            weights=lambda w: torch.optim.SGD(w, self.lr, momentum=0.9, weight_decay=3e-4),
            numbers=lambda a: torch.optim.Adam(a, self.alpha_lr, betas=(0.5, 0.999), weight_decay=1e-3),
            clip=5.0,
        )
        self.stateful = self._duo.stateful

    def step(self, number: int, train: Batch, valid: Batch | None) -> Tensor:
        assert valid is not None
        self._duo.course.pace(
            self._duo.weights_optimizer, number, lambda part: half_cosine(1.0, self.min_lr / self.lr, part)
        )
        self._duo.learn_numbers(valid)
        return self._duo.learn_weights(train)
