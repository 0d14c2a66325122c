"""Proxies as evaluators: alone, or beside training for candidates whose budget is ``"proxy"``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from netwright.errors import InputError
from netwright.evaluators import train as _train  # noqa: F401  (workers that preload this file need both)
from netwright.evaluators.base import Candidate, Evaluator, OfData
from netwright.evaluators.proxies.base import ProxyFailed
from netwright.evaluators.proxies.registry import select
from netwright.training.data import Data
from netwright.training.goals import read_goal
from netwright.training.metrics import Direction, direction
from netwright.training.splits import Split
from netwright.trial import PROXY

USUAL = ("synflow", "jacob_cov", "naswot")
"""The proxies where none are named: cheap, and the best of those that need no choice."""


@final
class Proxies(OfData):
    """Answers with proxies of a candidate's freshly initialised network, and with its parameters and MACs.

    All candidates see the same minibatch of ``batch`` examples, drawn by ``seed`` from ``split.train`` alone (all of
    ``data`` without a split); targets of a regression are standardised by those examples. A proxy that has no number
    for a network is missing from the answer; where none of them has, ProxyFailed says why.
    """

    inherits = False
    answers_proxies = True
    costs = ("params", "macs")

    def __init__(
        self,
        data: Data,
        names: Iterable[str] = USUAL,
        *,
        split: Split | None = None,
        batch: int = 64,
        seed: int = 0,
    ) -> None:
        self.names = tuple(proxy.name for proxy in select(names))
        if isinstance(batch, bool) or not isinstance(batch, int) or batch < 2:
            raise InputError(f"Proxies: a batch has 2 examples or more, found {batch!r}")
        if split is not None and len(split) != len(data):
            raise InputError(f"Proxies: the split is of {len(split)} examples, the data have {len(data)}")
        self.data, self.split, self.batch, self.seed = data, split, batch, seed

    @property
    def metric(self) -> str:
        """The metric that a search improves where nothing else is asked for: the first proxy."""
        return self.names[0]

    @property
    def metrics(self) -> dict[str, Direction]:
        """The names of what it answers with, and the direction in which each is better (costs: less)."""
        return {name: direction(name) for name in dict.fromkeys((*self.names, "params", "macs"))}

    def minibatch(self) -> tuple[Tensor, Tensor]:
        """The examples that the proxies look at."""
        places = np.arange(len(self.data)) if self.split is None else np.asarray(self.split.train)
        count = min(self.batch, len(places))
        chosen = np.sort(np.random.default_rng(self.seed).choice(places, count, replace=False))
        inputs, targets = np.asarray(self.data.X[chosen]), np.asarray(self.data.y[chosen])
        if read_goal(self.data.task).standardised:
            spread = targets.std(0)
            targets = (targets - targets.mean(0)) / np.where(spread > 0, spread, 1)
        # A copy: a memory-mapped part is read-only, and torch warns of that.
        return torch.from_numpy(np.array(inputs)), torch.from_numpy(np.array(targets))

    def __call__(self, candidate: Candidate) -> dict[str, float]:
        network = candidate.network()
        inputs, targets = (part.to(candidate.device) for part in self.minibatch())
        answers: dict[str, float] = {}
        reasons: list[str] = []
        for proxy in select((*self.names, "params", "macs")):
            # Each has its own draws, whatever else is asked for.
            generator = torch.Generator().manual_seed(self.seed)
            try:
                answers[proxy.name] = proxy(network, inputs, targets, generator=generator)
            except ProxyFailed as failed:
                reasons.append(failed.message)
        if len(reasons) == len(self.names):
            raise ProxyFailed("; ".join(reasons))
        return answers


@final
class WithProxies:
    """Proxies for candidates of budget ``"proxy"``, the evaluator ``train`` for all others.

    Everything else that ``train`` has (its data, recipe, metrics, …) is found here too. ``names``, ``batch`` and
    ``seed`` are those of :class:`Proxies`, which look at the training part of ``train``'s data only.
    """

    answers_proxies = True

    def __init__(self, train: Evaluator, names: Iterable[str] = USUAL, *, batch: int = 64, seed: int = 0) -> None:
        data = getattr(train, "data", None)
        if not isinstance(data, Data):
            raise InputError(
                f"WithProxies needs an evaluator with data, found {type(train).__name__}",
                hint="For example nw.evaluators.Train(data, split=split)",
            )
        self.train = train
        self.proxies = Proxies(data, names, split=getattr(train, "split", None), batch=batch, seed=seed)

    @property
    def metrics(self) -> Mapping[str, Direction]:
        """The names of what both answer with, and their directions."""
        return {**self.proxies.metrics, **getattr(self.train, "metrics", {})}

    @property
    def costs(self) -> tuple[str, ...]:
        """What is measured of every candidate beforehand."""
        return tuple(dict.fromkeys((*getattr(self.train, "costs", ()), *self.proxies.costs)))

    def __call__(self, candidate: Candidate) -> Mapping[str, float]:
        return self.proxies(candidate) if candidate.budget == PROXY else self.train(candidate)

    def __getattr__(self, name: str) -> Any:
        # Only for what is not found here. What begins with an underscore is not the evaluator's to give: a copy that
        # is being unpickled asks for such names before it has a `train`.
        if name.startswith("_") or name == "train":
            raise AttributeError(name)
        return getattr(self.train, name)
