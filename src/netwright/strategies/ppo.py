"""Proximal policy optimisation: a controller that learns from each batch of scores several times."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

from netwright.arguments import not_negative, one_objective, positive, share_below_one, whole
from netwright.errors import InputError
from netwright.space import SearchSpace
from netwright.strategies.base import Strategy
from netwright.strategies.controllers import (
    Adam,
    Autoregressive,
    Baseline,
    Steps,
    Walk,
    propose,
)
from netwright.trial import Budget, Objective, Proposal, State, Trial


@final
class PPO(Strategy):
    """Proximal policy optimisation (Schulman et al. 2017) with the controller of NASNet (Zoph et al. 2018).

    An LSTM of one layer of 100 units that reads its own answers, all weights uniform in ±0.1; Adam with a learning rate
    of 3.5e-4; a clip of 0.2; an entropy weight of 1e-5; an exponential moving average of the rewards with a decay of
    0.95 as the baseline; a batch of 20 trials.

    When ``batch`` rewards were told, ``epochs`` steps of Adam ascend the mean over their architectures of
    Σ min(r·A, clip(r, 1 − ``clip``, 1 + ``clip``)·A) + ``entropy`` · entropy, over the answers of each: r is the
    probability of an answer now over that when it was proposed, A the reward over the baseline. The reward is the
    objective's score in its own unit; its scale hardly matters, as Adam divides it out.

    What the paper leaves open: every answer is an action and has the advantage of the whole architecture; the number
    of ``epochs``. The probability at the time of the proposal is kept while a proposal is pending, so that several may
    be, also across an update; a trial that was not proposed here counts as proposed now. A failed or infeasible trial
    has the worst reward so far and does not touch the baseline; a pruned one is not learned from; a repetition is a
    reward like any other. Rules and ranges are met as :class:`~netwright.strategies.reinforce.Reinforce` does.

    One objective only. Nothing is inherited.
    """

    def __init__(
        self,
        *,
        lr: float = 3.5e-4,
        clip: float = 0.2,
        epochs: int = 10,
        batch: int = 20,
        entropy: float = 1e-5,
        decay: float = 0.95,
        hidden: int = 100,
        layers: int = 1,
        init: float = 0.1,
    ) -> None:
        whole("PPO", epochs=epochs, batch=batch, hidden=hidden, layers=layers)
        positive("PPO", lr=lr, clip=clip, init=init)
        share_below_one("PPO", decay=decay)
        not_negative("PPO", entropy=entropy)
        if clip >= 1:
            raise InputError(f"PPO: clip is below 1, found {clip!r}")
        self.lr = lr
        self.clip = clip
        self.epochs = epochs
        self.batch = batch
        self.entropy = entropy
        self.decay = decay
        self.hidden = hidden
        self.layers = layers
        self.init = init

    def start(self, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        one_objective("PPO", objectives, verb="learns from")
        super().start(space, objectives)
        self._steps = Steps(space.decisions)
        self._policy: Autoregressive | None = None
        self._baseline = Baseline(self.decay)
        self._worst: float | None = None
        self._pending: dict[tuple[str, Budget], deque[NDArray[np.float64]]] = {}
        # Walks with the log-probabilities of their answers when they were proposed (None: not here) and advantages.
        self._waiting: list[tuple[Walk, NDArray[np.float64] | None, float]] = []
        self._asked = False

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        if not self._steps.sizes and self._asked:
            return None
        self._asked = True
        if self._policy is None:
            self._policy = Autoregressive(self._steps, rng, self.hidden, self.layers, self.init)
            self._adam = Adam(len(self._policy.theta), self.lr)
            self._learn()
        architecture = propose(self._policy, self.space, rng)
        if self._steps.sizes:
            logs = self._policy.forward([self._steps.walk(architecture)]).log_probabilities[:, 0]
            self._pending.setdefault((architecture.to_json(), None), deque()).append(logs)
        return Proposal(architecture)

    def tell(self, trial: Trial) -> None:
        key = (trial.architecture.to_json(), trial.proposal.budget)
        proposed = self._pending.get(key)
        logs = proposed.popleft() if proposed else None
        if not proposed:
            self._pending.pop(key, None)
        if trial.scored:
            reward = self.objectives[0].score(trial.metrics)
            self._worst = reward if self._worst is None else min(self._worst, reward)
            advantage = self._baseline.advantage(reward)
        elif trial.state in (State.FAILED, State.INFEASIBLE) and self._worst is not None:
            advantage = self._worst - self._baseline.value
        else:
            return
        if not self._steps.sizes:
            return
        self._waiting.append((self._steps.walk(trial.architecture), logs, advantage))
        if self._policy is not None:
            self._learn()

    def heirs(self) -> Collection[int]:
        return ()

    def _learn(self) -> None:
        """``epochs`` steps of Adam for each whole batch of what was told."""
        assert self._policy is not None
        policy = self._policy
        while len(self._waiting) >= self.batch:
            batch, self._waiting = self._waiting[: self.batch], self._waiting[self.batch :]
            groups = []
            for slots in dict.fromkeys(walk.slots for walk, _, _ in batch):  # one forward pass for those asked alike
                group = [entry for entry in batch if entry[0].slots == slots]
                walks = [walk for walk, _, _ in group]
                now = policy.forward(walks).log_probabilities
                old = np.stack([now[:, k] if logs is None else logs for k, (_, logs, _) in enumerate(group)], axis=1)
                groups.append((walks, old, np.array([advantage for _, _, advantage in group])))
            for _ in range(self.epochs):
                ascent = np.zeros_like(policy.theta)
                for walks, old, advantages in groups:
                    done = policy.forward(walks)
                    slope = clipped_slope(np.exp(done.log_probabilities - old), advantages, self.clip)
                    ascent += policy.gradient(done, slope, self.entropy)
                self._adam.step(policy.theta, ascent / -self.batch)


def clipped_slope(ratio: NDArray[np.float64], advantage: NDArray[np.float64], clip: float) -> NDArray[np.float64]:
    """The derivative of min(r·A, clip(r, 1 − ``clip``, 1 + ``clip``)·A) by log π, where r = π / π at the proposal.

    It is r·A, and 0 where the clipped term is the smaller one: for a good answer that is already likelier by
    ``clip``, and for a bad one that is already less likely by it.
    """
    beyond = np.where(advantage >= 0, ratio > 1 + clip, ratio < 1 - clip)
    slope: NDArray[np.float64] = np.where(beyond, 0.0, ratio * advantage)
    return slope
