"""ENAS: Pham, Guan, Zoph, Le and Dean 2018: shared weights and the controller that draws architectures, in turns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from netwright.architecture import Architecture
from netwright.arguments import not_negative, positive, positive_or_none, share_below_one, whole
from netwright.errors import SpaceError
from netwright.space import SearchSpace
from netwright.strategies.controllers import REFUSED, Autoregressive, Floats, Steps, propose
from netwright.strategies.oneshot.method import Batch, Course, Method, clipped_step
from netwright.strategies.oneshot.rewards import KEPT, LastBatches, reward
from netwright.supernet.supernet import Supernet
from netwright.training.loop import half_cosine

CYCLES = (1, 2, 4, 8)
"""The warm restarts of the weights' learning rate: cycles of 10, 20, 40 and 80 of the published 150 epochs."""


@final
class ENAS(Method):
    """ENAS: an epoch of weights on architectures that a controller draws, then updates of the controller, in turns.

    Each step of the weights is on one architecture. Each of the ``updates`` is REINFORCE over ``aggregate``
    architectures. The reward of one is its score by the shared weights on one validation batch
    (:func:`~netwright.strategies.oneshot.rewards.reward`) plus ``entropy`` times the entropy of the controller on the
    way to it; the baseline is a moving average with ``decay``. In the end the best of ``samples`` drawn architectures
    is the answer, by their scores on all the batches that are kept.

    Defaults are those of the authors' search for cells: 150 epochs, weights by SGD (Nesterov, weight decay 1e-4,
    gradients cut at 5) along cosines with warm restarts from .05 to .0005; an LSTM of 64 units, weights uniform in
    ±.1, Adam with .0035; logits within ±1.1 for connections (``bound``) and 2.5 times less for all else (``reduce``).

    What differs. The controller is that of this framework's REINFORCE: each decision has a softmax of its own, in the
    order of the space, and connections are decisions like any other, without attention to anchors. There is no bias
    towards separable convolutions, and for the macro space no pull on the number of skips. The baseline begins at the
    first reward, not at zero. The batches on which rewards are measured are the last ten of an epoch, in turns. The
    gradient of the entropy is whole, also where the answer itself changes it.
    """

    epochs, batch_size = 150, 160

    def __init__(
        self,
        *,
        lr: float = 0.05,
        min_lr: float = 0.0005,
        momentum: float = 0.9,
        weight_decay: float = 1e-4,
        clip: float | None = 5.0,
        controller_lr: float = 0.0035,
        updates: int = 30,
        aggregate: int = 10,
        entropy: float = 1e-4,
        decay: float = 0.99,
        bound: float = 1.1,
        reduce: float = 2.5,
        hidden: int = 64,
        layers: int = 1,
        init: float = 0.1,
        samples: int = 100,
    ) -> None:
        whole("ENAS", updates=updates, aggregate=aggregate, hidden=hidden, layers=layers, samples=samples)
        positive("ENAS", lr=lr, controller_lr=controller_lr, bound=bound, reduce=reduce, init=init)
        not_negative("ENAS", min_lr=min_lr, weight_decay=weight_decay, entropy=entropy)
        share_below_one("ENAS", momentum=momentum, decay=decay)
        positive_or_none("ENAS", clip=clip)
        self.lr, self.min_lr, self.momentum, self.weight_decay, self.clip = lr, min_lr, momentum, weight_decay, clip
        self.controller_lr, self.updates, self.aggregate = controller_lr, updates, aggregate
        self.entropy, self.decay, self.bound, self.reduce = entropy, decay, bound, reduce
        self.hidden, self.layers, self.init, self.samples = hidden, layers, init, samples

    def start(self, supernet: Supernet, course: Course) -> None:
        self._supernet, self._course = supernet, course
        # A decision about training changes no network here: it has its first value.
        training = {d.name: d.first for d in supernet.space.decisions if d.of_training}
        self._space = supernet.space.fix(training)
        steps = Steps(self._space.decisions)
        if not steps.sizes:
            raise SpaceError("there is nothing to learn: every decision of the space is fixed")
        bounds = [
            self.bound if decision.kind == "inputs" else self.bound / self.reduce
            for decision in self._space.decisions
            for _ in Steps([decision]).sizes
        ]
        draw = np.random.default_rng([course.seed, 1])
        self._policy = Autoregressive(steps, draw, self.hidden, self.layers, self.init, bounds)
        # One memory: what the optimiser does to the parameter, the policy has.
        self._theta = nn.Parameter(torch.from_numpy(self._policy.theta))
        self._learner = course.learner([self._theta], lambda a: torch.optim.Adam(a, self.controller_lr))
        self._weights = list(supernet.network.parameters())
        self._optimizer = (course.optimizer or self._sgd)(self._weights)
        self._last = LastBatches()
        self._baseline: float | None = None
        self.stateful = {
            "controller": nn.ParameterList([self._theta]),
            "controller_optimizer": self._learner,
            "weights_optimizer": self._optimizer,
            "validation": self._last,
        }

    def step(self, number: int, train: Batch, valid: Batch | None) -> Tensor:
        assert valid is not None
        course = self._course
        self._last.add(valid)
        course.pace(self._optimizer, number, self._restarted)
        architecture = propose(self._policy, self._space, np.random.default_rng([course.seed, 2, number]))
        self._optimizer.zero_grad(set_to_none=True)
        loss = course.loss_of(self._supernet.at(architecture), train)
        torch.autograd.backward(loss)
        clipped_step(self._optimizer, self._weights, self.clip)
        if (number + 1) % (course.steps // course.epochs) == 0:
            rng = np.random.default_rng([course.seed, 3, number])
            for _ in range(self.updates):
                self._learn(rng)
        return loss.detach()

    def ranked(self, count: int, space: SearchSpace | None = None) -> list[Architecture]:
        """The best of ``samples`` architectures that the controller draws, by the batches that are kept.

        Where these are fewer than ``count`` different ones it draws on for a while. The same training gives the same
        answer.
        """
        space = self._space if space is None else space
        rng = np.random.default_rng([self._course.seed, 4])
        drawn: dict[Any, Architecture] = {}
        for place in range(self.samples + REFUSED * count):
            if place >= self.samples and len(drawn) >= count:
                break
            architecture = propose(self._policy, space, rng)
            drawn.setdefault(space.key(architecture), architecture)
        scores = {key: self._reward(architecture, self._last.batches) for key, architecture in drawn.items()}
        return [drawn[key] for key in sorted(scores, key=lambda key: -scores[key])][:count]

    def said(self) -> Mapping[str, Any]:
        return {"baseline": self._baseline}

    def recall(self, said: Mapping[str, Any]) -> None:
        self._baseline = said["baseline"]

    def _learn(self, rng: np.random.Generator) -> None:
        """One update of the controller; each of its architectures is scored on another of the batches."""
        ascent = np.zeros_like(self._policy.theta)
        for place in range(self.aggregate):
            batch = self._last.batches[-1 - place % min(KEPT, len(self._last.batches))]
            ascent += self._ascent(propose(self._policy, self._space, rng), [batch])
        self._theta.grad = torch.from_numpy(ascent / -self.aggregate)
        self._learner.step()

    def _ascent(self, architecture: Architecture, batches: list[Batch]) -> Floats:
        """(reward − baseline) · ∇ log π + entropy · ∇ H, after the baseline took the reward in."""
        done = self._policy.forward([self._policy.steps.walk(architecture)])
        value = self._reward(architecture, batches) + self.entropy * float(done.entropies.sum())
        baseline = value if self._baseline is None else self._baseline
        self._baseline = baseline - (1 - self.decay) * (baseline - value)
        return self._policy.gradient(done, np.array([value - self._baseline]), self.entropy)

    def _reward(self, architecture: Architecture, batches: list[Batch]) -> float:
        return reward(self._supernet, architecture, self._course, batches)

    def _restarted(self, part: float) -> float:
        place, cycle = part * sum(CYCLES), 0
        while cycle + 1 < len(CYCLES) and place >= CYCLES[cycle]:
            place -= CYCLES[cycle]
            cycle += 1
        return half_cosine(1.0, self.min_lr / self.lr, place / CYCLES[cycle])

    def _sgd(self, weights: list[nn.Parameter]) -> torch.optim.Optimizer:
        nesterov = self.momentum > 0
        return torch.optim.SGD(
            weights, self.lr, momentum=self.momentum, nesterov=nesterov, weight_decay=self.weight_decay
        )
