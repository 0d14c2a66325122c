"""REINFORCE: a policy that is rewarded with the score."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import final

import numpy as np

from netwright.arguments import not_negative, one_objective, one_of_these, positive, share_below_one, whole
from netwright.space import SearchSpace
from netwright.strategies.base import Strategy
from netwright.strategies.controllers import (
    Adam,
    Autoregressive,
    Baseline,
    Controller,
    Independent,
    Policy,
    Steps,
    Walk,
    propose,
)
from netwright.trial import Objective, Proposal, State, Trial

_CONTROLLERS = ("lstm", "independent")
_PERPLEXITY = 80.0
"""The constant of the reward for language models, section 4.2 of Zoph and Le."""


@final
class Reinforce(Strategy):
    """The policy gradient of Williams 1992 with the controller of Zoph and Le 2017.

    ``controller="lstm"`` is theirs: an LSTM of 2 layers of 35 units that reads its own answers, all weights uniform in
    ±0.08, Adam with a learning rate of 6e-4, an exponential moving average of the rewards as the baseline. What it
    lacks is the attention to anchor points (connections are decisions like any other) and the schedule by which theirs
    grew deeper. ``controller="independent"`` is the reduced form of NAS-Bench-201 (Dong and Yang 2020): a categorical
    distribution a decision, logits of 1e-3 times a standard normal, Adam at 0.01. ``lr``, ``decay`` and ``batch``
    left out are the published ones of the controller: 6e-4, 0.95, 1 and 0.01, 0.9, 1.

    After ``batch`` rewards one step of Adam follows the mean of (reward − baseline) · ∇ log π, plus ``entropy`` · ∇ of
    the entropy. The reward is the objective's score in its own unit, and the scale of it hardly matters: Adam divides
    it out (but ``entropy`` is weighed against it). Of a perplexity it is 80/perplexity², as in the paper: a network
    that diverged earns next to nothing, where minus its perplexity would spoil the baseline for good.

    What the papers leave open. With several proposals pending, each is learned from when it is told, in the order of
    the numbers, by the gradient at the weights of that moment. A failed or infeasible trial has the worst reward so
    far, so that the policy is led away from it, and does not touch the baseline; a pruned one is not learned from. A
    repetition is a reward like any other. What the rules of the space refuse is drawn again; ranges are learned in
    16 bins (:class:`~netwright.strategies.controllers.Steps`). In a space of a single architecture nothing is left
    after the first proposal.

    One objective only. Nothing is inherited.
    """

    def __init__(
        self,
        controller: Controller = "lstm",
        *,
        lr: float | None = None,
        decay: float | None = None,
        batch: int = 1,
        entropy: float = 0.0,
        hidden: int = 35,
        layers: int = 2,
        init: float | None = None,
    ) -> None:
        one_of_these("Reinforce", "controller", controller, _CONTROLLERS)
        whole("Reinforce", batch=batch, hidden=hidden, layers=layers)
        positive("Reinforce", lr=1.0 if lr is None else lr, init=1.0 if init is None else init)
        share_below_one("Reinforce", decay=0.0 if decay is None else decay)
        not_negative("Reinforce", entropy=entropy)
        self.controller = controller
        self.lr = lr
        self.decay = decay
        self.batch = batch
        self.entropy = entropy
        self.hidden = hidden
        self.layers = layers
        self.init = init

    def start(self, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        one_objective("Reinforce", objectives, verb="learns from")
        super().start(space, objectives)
        self._steps = Steps(space.decisions)
        self._policy: Policy | None = None
        self._waiting: list[tuple[Walk, float]] = []  # walks with their advantages, until there are enough for a step
        self._worst: float | None = None
        lstm = self.controller == "lstm"
        self._lr = (6e-4 if lstm else 0.01) if self.lr is None else self.lr
        self._baseline = Baseline((0.95 if lstm else 0.9) if self.decay is None else self.decay)
        self._asked = False

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        if not self._steps.sizes and self._asked:
            return None
        self._asked = True
        if self._policy is None:
            self._policy = self._made(rng)
            self._learn()
        return Proposal(propose(self._policy, self.space, rng))

    def tell(self, trial: Trial) -> None:
        if trial.scored:
            reward = self._reward(trial)
            self._worst = reward if self._worst is None else min(self._worst, reward)
            advantage = self._baseline.advantage(reward)
        elif trial.state in (State.FAILED, State.INFEASIBLE) and self._worst is not None:
            advantage = self._worst - self._baseline.value
        else:
            return
        if not self._steps.sizes:
            return
        self._waiting.append((self._steps.walk(trial.architecture), advantage))
        if self._policy is not None:
            self._learn()

    def heirs(self) -> Collection[int]:
        return ()

    def _reward(self, trial: Trial) -> float:
        objective = self.objectives[0]
        if objective.metric == "val_perplexity" and objective.score({objective.metric: 1.0}) < 0:
            return _PERPLEXITY / min(trial.metrics[objective.metric], 1e100) ** 2
        return objective.score(trial.metrics)

    def _made(self, rng: np.random.Generator) -> Policy:
        policy: Policy
        if self.controller == "lstm":
            init = 0.08 if self.init is None else self.init
            policy = Autoregressive(self._steps, rng, self.hidden, self.layers, init)
        else:
            policy = Independent(self._steps, rng, 1e-3 if self.init is None else self.init)
        self._adam = Adam(len(policy.theta), self._lr)
        return policy

    def _learn(self) -> None:
        """A step of Adam for each whole batch of what was told."""
        assert self._policy is not None
        while len(self._waiting) >= self.batch:
            batch, self._waiting = self._waiting[: self.batch], self._waiting[self.batch :]
            ascent = np.zeros_like(self._policy.theta)
            for walk, advantage in batch:
                done = self._policy.forward([walk])
                ascent += self._policy.gradient(done, np.array([advantage]), self.entropy)
            self._adam.step(self._policy.theta, ascent / -self.batch)
