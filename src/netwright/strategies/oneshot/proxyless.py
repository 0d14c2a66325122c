"""ProxylessNAS: Cai, Zhu and Han 2019, with the two-path binary gates of section 3.2, or by REINFORCE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import torch
from torch import Tensor, nn

from netwright.architecture import Answer, Architecture
from netwright.arguments import one_of_these, positive, share, share_below_one, whole
from netwright.errors import SpaceError
from netwright.space import Decision
from netwright.space.drawing import answered
from netwright.strategies.oneshot.method import Batch, Course, Method, loss_at
from netwright.strategies.oneshot.rewards import reward
from netwright.supernet.relaxations import Gates
from netwright.supernet.supernet import Supernet
from netwright.training.loop import half_cosine

RULES = ("gradient", "reinforce")


@final
class Proxyless(Method):
    """ProxylessNAS: the weights of one drawn path a step, and in between the numbers of two options a decision.

    Every ``every`` steps the numbers learn. In the first ``warm_up`` of the epochs paths are uniform and the numbers
    rest. SGD from .025 along a cosine to 0 (Nesterov, weight decay 4e-5), Adam with 1e-3 and β₁ = 0 without weight
    decay, as published.

    With ``rule="reinforce"`` the numbers learn from rewards alone (section 3.3.2), so that what networks cost needs no
    gradient: ``samples`` architectures are drawn and scored on a validation batch, the baseline moves by ``decay`` of
    its distance to their mean reward (at first it is that mean), and each number follows the mean of
    (reward − baseline) · ∇ log p. SpaceError where layers on connections are open: what is drawn has to be a whole
    architecture.

    What differs. In the authors' program the warm-up comes before the search, 40 epochs of its own with a learning rate
    of .05 along another cosine; here it is the first quarter of one course with one cosine, and weights learn as long
    as that is in all.
    """

    epochs, batch_size = 120, 256
    published_steps = 120_000

    def __init__(
        self,
        rule: str = "gradient",
        *,
        lr: float = 0.025,
        alpha_lr: float = 1e-3,
        every: int = 5,
        warm_up: float = 40 / 160,
        samples: int = 10,
        decay: float = 0.99,
    ) -> None:
        one_of_these("Proxyless", "rule", rule, RULES)
        whole("Proxyless", every=every, samples=samples)
        positive("Proxyless", lr=lr, alpha_lr=alpha_lr)
        share_below_one("Proxyless", warm_up=warm_up)
        # The baseline moves by this part of its distance: at 1 it is the mean of the last rewards.
        share("Proxyless", decay=decay)
        self.rule, self.lr, self.alpha_lr, self.every, self.warm_up = rule, lr, alpha_lr, every, warm_up
        self.samples, self.decay = samples, decay

    @property
    def period(self) -> int:
        return self.every

    def start(self, supernet: Supernet, course: Course) -> None:
        self._supernet, self._course = supernet, course
        self.relaxation = self._gates = Gates(supernet, seed=course.seed)
        if self.rule == "reinforce" and self._gates.edges:
            raise SpaceError(
                f"REINFORCE draws whole architectures, and what decision '{next(iter(self._gates.edges))}' picks is "
                "known when the search ends: the layers on its connections are open",
                hint="Use proxyless with its other rule, or darts.",
            )
        self._baseline: float | None = None
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
            if self.rule == "gradient":
                self._learn_numbers(valid)
            else:
                self._learn_from_rewards(valid)
        return loss.detach()

    def said(self) -> Mapping[str, Any]:
        return {"baseline": self._baseline}

    def recall(self, said: Mapping[str, Any]) -> None:
        self._baseline = said["baseline"]

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

    def _learn_from_rewards(self, batch: Batch) -> None:
        rows = dict(zip(self._gates.open, self._gates.alpha, strict=True))
        drawn = [self._draw(rows) for _ in range(self.samples)]
        rewards = [reward(self._supernet, architecture, self._course, [batch]) for architecture in drawn]
        mean = sum(rewards) / len(rewards)
        self._baseline = mean if self._baseline is None else self._baseline + self.decay * (mean - self._baseline)
        loss = torch.zeros(())
        for architecture, value in zip(drawn, rewards, strict=True):
            chosen = [
                row.log_softmax(0)[self._gates.open[name].position(architecture[name])]
                for name, row in rows.items()
                if name in architecture
            ]
            loss = loss - torch.stack(chosen).sum() * (value - self._baseline) / self.samples
        self._numbers.zero_grad(set_to_none=True)
        torch.autograd.backward(loss, inputs=list(rows.values()))
        self._numbers.step()
        if self._course.hardware is not None:
            self._course.hardware.settled(self._gates.probabilities())

    def _draw(self, rows: Mapping[str, nn.Parameter]) -> Architecture:
        """An architecture, each of its decisions by its own probabilities; one about training has its first value."""

        def answer(decision: Decision) -> Answer:
            if decision.name not in rows:
                return decision.first
            chances = rows[decision.name].detach().softmax(0)
            return decision.value(int(torch.multinomial(chances, 1, generator=self._generator)))

        return answered(self._supernet.space.decisions, answer)

    def _sgd(self, weights: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.SGD(weights, self.lr, momentum=0.9, nesterov=True, weight_decay=4e-5)

    def _adam(self, numbers: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adam(numbers, self.alpha_lr, betas=(0.0, 0.999))
