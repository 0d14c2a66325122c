"""FairNAS: Chu, Zhang and Xu 2021, strict fairness: every option is updated as often as every other."""

from __future__ import annotations

from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from netwright.arguments import not_negative, positive, share_below_one
from netwright.errors import SpaceError
from netwright.strategies.oneshot.method import Batch, Course, Method, loss_at
from netwright.supernet.supernet import Supernet
from netwright.supernet.switches import Way
from netwright.training.loop import half_cosine


@final
class FairNAS(Method):
    """FairNAS, strict fairness: each step trains every option of every decision exactly once.

    It draws an order of the options for every decision, and runs the paths that these orders give. The first path has
    every decision's first option in its order, and so on; the gradients of all are added, then comes one step. All
    decisions have the same number of options, as in the paper; SpaceError where they do not, where a decision is not
    always asked, or where the space has a rule ``where``: the orders are drawn each by itself, and some of their paths
    would be networks that it refuses.
    """

    epochs, batch_size, halves, ranks = 150, 256, False, False

    def __init__(self, *, lr: float = 0.045, momentum: float = 0.9, weight_decay: float = 4e-5) -> None:
        positive("FairNAS", lr=lr)
        share_below_one("FairNAS", momentum=momentum)
        not_negative("FairNAS", weight_decay=weight_decay)
        self.lr, self.momentum, self.weight_decay = lr, momentum, weight_decay

    def start(self, supernet: Supernet, course: Course) -> None:
        self._supernet, self._course = supernet, course
        decisions = [decision for decision in supernet.space.decisions if not decision.of_training]
        asked = [decision for decision in decisions if decision.cardinality > 1]
        if not asked:
            raise SpaceError("there is nothing to learn: every decision of the space is fixed")
        if supernet.space.ruled:
            raise SpaceError(
                f"strict fairness combines all options freely, and the rule `where` of {supernet.space.name} refuses "
                "some combinations",
                hint="Use spos, which takes any space.",
            )
        unfair = next((d.name for d in asked if d.conditional or d.kind != "one_of"), None)
        # A range has no number of options that could be counted: it is refused for its kind.
        sizes = {} if unfair else {int(decision.cardinality): decision.name for decision in asked}
        if unfair is not None or len(sizes) != 1:
            why = f"'{unfair}' is not" if unfair else f"'{min(sizes.items())[1]}' and '{max(sizes.items())[1]}' are not"
            raise SpaceError(
                f"strict fairness needs decisions by one_of that are always asked and have as many candidates: {why}",
                hint="Use spos, which takes any space.",
            )
        self._names, (self._count,) = [decision.name for decision in asked], sizes
        self._fixed = supernet.ways({d.name: d.first for d in decisions if d not in asked})
        self._optimizer = (course.optimizer or self._sgd)(list(supernet.network.parameters()))
        self.stateful = {"weights_optimizer": self._optimizer}

    def step(self, number: int, train: Batch, valid: Batch | None) -> Tensor:
        self._course.pace(self._optimizer, number, lambda part: half_cosine(1.0, 0.0, part))
        rng = np.random.default_rng([self._course.seed, number])
        orders = {name: rng.permutation(self._count).tolist() for name in self._names}
        self._optimizer.zero_grad(set_to_none=True)
        losses = []
        for place in range(self._count):
            ways = self._fixed | {name: Way((order[place],)) for name, order in orders.items()}
            loss = loss_at(self._supernet, ways, self._course, train)
            torch.autograd.backward(loss)
            losses.append(loss.detach())
        self._optimizer.step()
        return torch.stack(losses).mean()

    def _sgd(self, weights: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.SGD(weights, self.lr, momentum=self.momentum, weight_decay=self.weight_decay)
