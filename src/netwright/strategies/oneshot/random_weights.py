"""Random search with shared weights: Li and Talwalkar 2019, the baseline that one-shot methods have to beat."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from netwright.architecture import Architecture
from netwright.arguments import not_negative, positive, positive_or_none, share_below_one, whole
from netwright.space import SearchSpace
from netwright.strategies.oneshot.method import Batch, Course, Method, clipped_step
from netwright.strategies.oneshot.rewards import LastBatches, best_by, reward
from netwright.supernet.supernet import Supernet
from netwright.training.loop import half_cosine

RANKING = 17
"""Added to the seed of the architectures that are ranked, so that they are not those that were trained."""


@final
class RandomWeights(Method):
    """Random search with shared weights: each step trains a random architecture; the best of others is the answer.

    The others are ``samples`` random ones, scored by the shared weights.

    The authors' program: 100 epochs, SGD from .025 along a cosine to .001, momentum .9, weight decay 3e-4, gradients
    cut at .25; then 1,000 architectures are scored on ten validation batches each. It repeats that for every 10,000
    steps and scores the best ten of each round on all validation data; here there is one round, on the last ten
    batches, and as everywhere architectures are drawn uniformly as a whole. Norms have the statistics of each batch
    while they are scored, and not those that training left, which are of all architectures together.
    """

    epochs, batch_size = 100, 64

    def __init__(
        self,
        *,
        lr: float = 0.025,
        min_lr: float = 0.001,
        momentum: float = 0.9,
        weight_decay: float = 3e-4,
        clip: float | None = 0.25,
        samples: int = 1000,
    ) -> None:
        whole("RandomWeights", samples=samples)
        positive("RandomWeights", lr=lr)
        not_negative("RandomWeights", min_lr=min_lr, weight_decay=weight_decay)
        share_below_one("RandomWeights", momentum=momentum)
        positive_or_none("RandomWeights", clip=clip)
        self.lr, self.min_lr, self.momentum, self.weight_decay = lr, min_lr, momentum, weight_decay
        self.clip, self.samples = clip, samples

    def start(self, supernet: Supernet, course: Course) -> None:
        self._supernet, self._course = supernet, course
        self._weights = list(supernet.network.parameters())
        self._optimizer = (course.optimizer or self._sgd)(self._weights)
        self._last = LastBatches()
        self.stateful = {"weights_optimizer": self._optimizer, "validation": self._last}

    def step(self, number: int, train: Batch, valid: Batch | None) -> Tensor:
        assert valid is not None
        self._last.add(valid)
        self._course.pace(self._optimizer, number, lambda part: half_cosine(1.0, self.min_lr / self.lr, part))
        architecture = self._supernet.space.sample(np.random.default_rng([self._course.seed, number]))
        self._optimizer.zero_grad(set_to_none=True)
        loss = self._course.loss_of(self._supernet.at(architecture), train)
        torch.autograd.backward(loss)
        clipped_step(self._optimizer, self._weights, self.clip)
        return loss.detach()

    def ranked(
        self, count: int, space: SearchSpace | None = None, stop: Callable[[], bool] | None = None
    ) -> list[Architecture]:
        """The best of ``samples`` architectures of ``space``, or of ``count`` where that is more.

        There may be fewer in a small space. The same training gives the same answer, unless ``stop`` ended the scoring.
        """
        space = self._supernet.space if space is None else space
        rng = np.random.default_rng([self._course.seed, self._course.steps, RANKING])
        drawn = {space.key(drawn): drawn for drawn in (space.sample(rng) for _ in range(max(self.samples, count)))}
        supernet, course, batches = self._supernet, self._course, self._last.batches
        return best_by(lambda each: reward(supernet, each, course, batches), drawn.values(), count, stop)

    def _sgd(self, weights: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.SGD(weights, self.lr, momentum=self.momentum, weight_decay=self.weight_decay)
