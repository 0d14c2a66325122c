"""ProxylessNAS: Cai, Zhu and Han 2019, with the two-path binary gates of section 3.2."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from netwright.strategies.oneshot.method import Batch, Course, Method, loss_at
from netwright.supernet.relaxations import Gates
from netwright.supernet.supernet import Supernet
from netwright.training.loop import half_cosine


@final
class Proxyless(Method):
    """Weights learn on one drawn path a step; every ``every`` steps the numbers of two options a decision learn.

    In the first ``warm_up`` of the epochs paths are uniform and the numbers rest. SGD from .025 along a cosine to 0
    (Nesterov, weight decay 4e-5), Adam with 1e-3 and β₁ = 0 without weight decay, as published.
    """

    epochs, batch_size = 120, 256
    published_steps = 120_000

    def __init__(self, *, lr: float = 0.025, alpha_lr: float = 1e-3, every: int = 5, warm_up: float = 40 / 160) -> None:
        self.lr, self.alpha_lr, self.every, self.warm_up = lr, alpha_lr, every, warm_up

    def start(self, supernet: Supernet, course: Course) -> None:
        self._supernet, self._course = supernet, course
        self.relaxation = self._gates = Gates(supernet, seed=course.seed)
        self._generator = torch.Generator().manual_seed(course.seed)
        self._optimizer = (course.optimizer or self._sgd)(list(supernet.network.parameters()))
        self._numbers = course.learner(list(self._gates.parameters()), self._adam)
        self.stateful = {
            "numbers": self._gates,
            "weights_optimizer": self._optimizer,
            "numbers_optimizer": self._numbers,
            "draws": self._generator,
        }

    def step(self, number: int, train: Batch, valid: Batch | None) -> Tensor:
        assert valid is not None
        self._course.pace(self._optimizer, number, lambda part: half_cosine(1.0, 0.0, part))
        warm = number < self.warm_up * self._course.steps
        self._optimizer.zero_grad(set_to_none=True)
        ways = self._gates.path(self._generator, uniform=warm)
        loss = loss_at(self._supernet, ways, self._course, train)
        torch.autograd.backward(loss)
        self._optimizer.step()
        if not warm and number % self.every == 0:
            self._learn_numbers(valid)
        return loss.detach()

    def _learn_numbers(self, batch: Batch) -> None:
        loss = loss_at(self._supernet, self._gates.ways(self._generator), self._course, batch)
        gates, hardware = self._gates.gates, self._course.hardware
        # The costs are those of the two options that were drawn, renormalised; what the loss is multiplied by where
        # the two are multiplied reaches the gates, too.
        whole = loss if hardware is None else hardware.penalized(loss, self._gates.pairs())
        numbers = [] if hardware is None else list(self._gates.parameters())
        found = torch.autograd.grad(whole, [*gates, *numbers], allow_unused=True)
        for gate, gradient in zip(gates, found, strict=False):
            gate.grad = gradient
        self._gates.receive(found[len(gates) :])
        self._gates.remember()
        self._numbers.step()
        self._gates.settled()
        if hardware is not None:
            hardware.settled(self._gates.probabilities())

    def _sgd(self, weights: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.SGD(weights, self.lr, momentum=0.9, nesterov=True, weight_decay=4e-5)

    def _adam(self, numbers: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adam(numbers, self.alpha_lr, betas=(0.0, 0.999))
