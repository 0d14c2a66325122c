"""ENAS: Pham, Guan, Zoph, Le and Dean 2018: shared weights and the controller that draws architectures, in turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, final

import numpy as np
import torch
from torch import Tensor, nn

from netwright.architecture import Architecture
from netwright.arguments import (
    is_number,
    not_negative,
    one_of_these,
    positive,
    positive_or_none,
    share_below_one,
    whole,
)
from netwright.errors import InputError, SpaceError
from netwright.space import SearchSpace
from netwright.strategies.anchors import Anchored, Anchors, biases, skip_pull, switches
from netwright.strategies.controllers import REFUSED, Autoregressive, Floats, Policy, Steps, propose
from netwright.strategies.oneshot.method import Batch, Course, Method, clipped_step
from netwright.strategies.oneshot.rewards import KEPT, LastBatches, best_by, reward
from netwright.supernet.supernet import Supernet
from netwright.training.loop import half_cosine

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "micro": {
        "epochs": 150, "batch_size": 160, "weight_decay": 1e-4, "cycles": 4,
        "controller_lr": 0.0035, "updates": 30, "aggregate": 10, "bound": 1.1, "reduce": 2.5,
    },
    "macro": {
        "epochs": 310, "batch_size": 128, "weight_decay": 2.5e-4, "cycles": 5,
        "controller_lr": 0.001, "updates": 50, "aggregate": 20, "bound": 1.5, "reduce": 1.0,
    },
}  # fmt: skip
"""What differs between the authors' searches for cells and for whole networks."""


@final
class ENAS(Method):
    """ENAS: an epoch of weights on architectures that a controller draws, then updates of the controller, in turns.

    Each step of the weights is on one architecture. Each of the ``updates`` is REINFORCE over ``aggregate``
    architectures. The reward of one is its score by the shared weights on one validation batch
    (:func:`~netwright.strategies.oneshot.rewards.reward`) plus ``entropy`` times the entropy of the controller on the
    way to it; the baseline is a moving average with ``decay``. In the end the best of ``samples`` drawn architectures
    is the answer, by their scores on all the batches that are kept.

    The controller is an LSTM that chooses connections by attention to what it had in mind when the earlier nodes were
    complete (:mod:`netwright.strategies.anchors` says which decisions are connections); with ``anchors=False`` each
    decision has a softmax of its own. Where layers are joined by switches, of which each is on or off, their
    probabilities are pulled to ``skip_target`` by ``skip_weight`` times the divergence from it. ``bias`` favours
    options by name: ``{"sep_conv_3x3": 0.25}``, or pairs of a name and a number, added to their logits.

    Defaults are those of the authors' search for cells, ``preset="micro"``: 150 epochs of batches of 160, weights by
    SGD (Nesterov, weight decay 1e-4, gradients cut at 5) along cosines with warm restarts from .05 to .0005, four
    ``cycles`` of which each is twice as long as the one before; an LSTM of 64 units, weights uniform in ±.1, 30
    updates of 10 by Adam with .0035; logits within ±1.1 for connections (``bound``) and 2.5 times less for all else
    (``reduce``). ``preset="macro"`` is their search for whole networks: 310 epochs of batches of 128 and five cycles,
    weight decay 2.5e-4, 50 updates of 20 with .001, all logits within ±1.5. What is given is taken before the preset.

    What differs. Each decision has an embedding and a softmax of its own, theirs share one for all operations. The
    inputs of a cell have anchors that are learnt, theirs are states of the LSTM before the first decision, and read as
    zero. The anchor of a layer is made after its skips, not before. The pull is on the probability itself: their
    program takes the sigmoid of half of its logit. Their cells have a bias towards separable convolutions: logits of
    these that begin and stay at the bound, .44, and in the normal cell .25 more for them and .25 less for the others;
    here there is none that is not asked for. The baseline begins at the first reward, not at zero. The batches on
    which rewards are measured are the last ten of an epoch, in turns. The gradient of the entropy is whole, also where
    the answer itself changes it; that of the pull is, as theirs, of the way that was drawn.
    """

    epochs, batch_size = 150, 160

    def __init__(
        self,
        preset: Literal["micro", "macro"] = "micro",
        *,
        anchors: bool = True,
        skip_target: float = 0.4,
        skip_weight: float = 0.8,
        bias: Mapping[str, float] | Sequence[tuple[str, float]] = (),
        lr: float = 0.05,
        min_lr: float = 0.0005,
        momentum: float = 0.9,
        weight_decay: float | None = None,
        clip: float | None = 5.0,
        cycles: int | None = None,
        controller_lr: float | None = None,
        updates: int | None = None,
        aggregate: int | None = None,
        entropy: float = 1e-4,
        decay: float = 0.99,
        bound: float | None = None,
        reduce: float | None = None,
        hidden: int = 64,
        layers: int = 1,
        init: float = 0.1,
        samples: int = 100,
    ) -> None:
        one_of_these("ENAS", "preset", preset, PRESETS)
        chosen = PRESETS[preset]
        self.preset, self.epochs, self.batch_size = preset, chosen["epochs"], chosen["batch_size"]
        self.weight_decay: float = chosen["weight_decay"] if weight_decay is None else weight_decay
        self.cycles: int = chosen["cycles"] if cycles is None else cycles
        self.controller_lr: float = chosen["controller_lr"] if controller_lr is None else controller_lr
        self.updates: int = chosen["updates"] if updates is None else updates
        self.aggregate: int = chosen["aggregate"] if aggregate is None else aggregate
        self.bound: float = chosen["bound"] if bound is None else bound
        self.reduce: float = chosen["reduce"] if reduce is None else reduce
        whole("ENAS", updates=self.updates, aggregate=self.aggregate, cycles=self.cycles)
        whole("ENAS", hidden=hidden, layers=layers, samples=samples)
        positive("ENAS", lr=lr, controller_lr=self.controller_lr, bound=self.bound, reduce=self.reduce, init=init)
        not_negative("ENAS", min_lr=min_lr, weight_decay=self.weight_decay, entropy=entropy, skip_weight=skip_weight)
        share_below_one("ENAS", momentum=momentum, decay=decay)
        positive_or_none("ENAS", clip=clip)
        if not is_number(skip_target) or not 0 < skip_target < 1:
            raise InputError(f"ENAS: skip_target is a probability above 0 and below 1, found {skip_target!r}")
        if not isinstance(anchors, bool):
            raise InputError(f"ENAS: anchors is true or false, found {anchors!r}")
        self.anchors, self.skip_target, self.skip_weight, self.bias = anchors, skip_target, skip_weight, _bias(bias)
        self.lr, self.min_lr, self.momentum, self.clip = lr, min_lr, momentum, clip
        self.entropy, self.decay = entropy, decay
        self.hidden, self.layers, self.init, self.samples = hidden, layers, init, samples

    def start(self, supernet: Supernet, course: Course) -> None:
        self._supernet, self._course = supernet, course
        # A decision about training changes no network here: it has its first value.
        training = {d.name: d.first for d in supernet.space.decisions if d.of_training}
        self._space = supernet.space.fix(training)
        steps = Steps(self._space.decisions)
        if not steps.sizes:
            raise SpaceError("there is nothing to learn: every decision of the space is fixed")
        self._policy = self._made(steps, np.random.default_rng([course.seed, 1]))
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

    def ranked(
        self, count: int, space: SearchSpace | None = None, stop: Callable[[], bool] | None = None
    ) -> list[Architecture]:
        """The best of ``samples`` architectures that the controller draws, by the batches that are kept.

        Where these are fewer than ``count`` different ones it draws on for a while. The same training gives the same
        answer, unless ``stop`` ended the scoring.
        """
        space = self._space if space is None else space
        rng = np.random.default_rng([self._course.seed, 4])
        drawn: dict[Any, Architecture] = {}
        for place in range(self.samples + REFUSED * count):
            if place >= self.samples and len(drawn) >= count:
                break
            architecture = propose(self._policy, space, rng)
            drawn.setdefault(space.key(architecture), architecture)
        return best_by(lambda each: self._reward(each, self._last.batches), drawn.values(), count, stop)

    def said(self) -> Mapping[str, Any]:
        return {"baseline": self._baseline}

    def recall(self, said: Mapping[str, Any]) -> None:
        self._baseline = said["baseline"]

    def _made(self, steps: Steps, rng: np.random.Generator) -> Policy:
        decisions = self._space.decisions
        self._switches = switches(decisions, steps)
        bias, missing = biases(self.bias, steps)
        if missing:
            names = ", ".join(map(repr, sorted(missing)))
            raise SpaceError(f"ENAS: bias has {names}, which no decision of the space has as an option")
        bounds = [
            self.bound if decision.kind == "inputs" or slot in self._switches else self.bound / self.reduce
            for slot, decision in enumerate(steps.asks)
        ]
        added = bias if self.bias else None
        anchors = Anchors(decisions, steps)
        if self.anchors and not anchors.empty:
            return Anchored(anchors, steps, rng, self.hidden, self.layers, self.init, bounds, added)
        return Autoregressive(steps, rng, self.hidden, self.layers, self.init, bounds, added)

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
        pull = None
        if self.skip_weight and self._switches:
            # Gradients here are ascents; the pull is a part of a loss.
            pull = -self.skip_weight * skip_pull(done, self._switches, self.skip_target)[1]
        return self._policy.gradient(done, np.array([value - self._baseline]), self.entropy, pull)

    def _reward(self, architecture: Architecture, batches: list[Batch]) -> float:
        return reward(self._supernet, architecture, self._course, batches)

    def _restarted(self, part: float) -> float:
        """Cosines of which each is twice as long as the one before: 10, 20, 40 and 80 of the published 150 epochs."""
        place, length = part * (2**self.cycles - 1), 1
        while length < 2 ** (self.cycles - 1) and place >= length:
            place, length = place - length, 2 * length
        return half_cosine(1.0, self.min_lr / self.lr, place / length)

    def _sgd(self, weights: list[nn.Parameter]) -> torch.optim.Optimizer:
        nesterov = self.momentum > 0
        return torch.optim.SGD(
            weights, self.lr, momentum=self.momentum, nesterov=nesterov, weight_decay=self.weight_decay
        )


def _bias(given: Any) -> dict[str, float]:
    """Pairs of a name and a number, or a mapping of them."""
    pairs = list(given.items()) if isinstance(given, Mapping) else given
    if isinstance(pairs, tuple) and len(pairs) == 2 and isinstance(pairs[0], str):
        pairs = [pairs]  # a single pair, as the command line may have it
    plain = isinstance(pairs, list | tuple) and all(
        isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str) and is_number(pair[1])
        for pair in pairs
    )
    if not plain:
        raise InputError(
            f"ENAS: bias is pairs of an option's name and a number, found {given!r:.80}",
            hint="For example bias={'sep_conv_3x3': 0.25}, in a command bias=((sep_conv_3x3, 0.25),)",
        )
    return {name: float(number) for name, number in pairs}
