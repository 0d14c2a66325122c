"""Single path one-shot: Guo et al. 2020. Each step trains one path, drawn uniformly."""

from __future__ import annotations

from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from netwright.arguments import not_negative, positive, share_below_one
from netwright.strategies.oneshot.method import Batch, Course, Method
from netwright.supernet.supernet import Supernet


@final
class SPOS(Method):
    """SPOS, single path one-shot: each step trains one path, drawn uniformly.

    The weights alone learn; architectures are found on the trained supernet, by evolution as published. The path is
    drawn uniformly over whole architectures. SGD from .5 down a line to 0, weight decay 4e-5; the published batch of
    1,024 and 120 epochs are for ImageNet.
    """

    epochs, batch_size, halves, ranks = 120, 1024, False, False

    def __init__(self, *, lr: float = 0.5, momentum: float = 0.9, weight_decay: float = 4e-5) -> None:
        positive("SPOS", lr=lr)
        share_below_one("SPOS", momentum=momentum)
        not_negative("SPOS", weight_decay=weight_decay)
        self.lr, self.momentum, self.weight_decay = lr, momentum, weight_decay

    def start(self, supernet: Supernet, course: Course) -> None:
        self._supernet, self._course = supernet, course
        self._optimizer = (course.optimizer or self._sgd)(list(supernet.network.parameters()))
        self.stateful = {"weights_optimizer": self._optimizer}

    def step(self, number: int, train: Batch, valid: Batch | None) -> Tensor:
        self._course.pace(self._optimizer, number, lambda part: 1 - part)
        architecture = self._supernet.space.sample(np.random.default_rng([self._course.seed, number]))
        self._optimizer.zero_grad(set_to_none=True)
        loss = self._course.loss_of(self._supernet.at(architecture), train)
        torch.autograd.backward(loss)
        self._optimizer.step()
        return loss.detach()

    def _sgd(self, weights: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.SGD(weights, self.lr, momentum=self.momentum, weight_decay=self.weight_decay)
