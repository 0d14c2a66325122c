"""Ensembles: several trained networks that answer as one, chosen greedily (Caruana et al. 2004).

Classes and labels are averaged as probabilities, numbers as they are. The answer of an ensemble is of the kind that a
single network gives (scores of classes, of labels, numbers), so that whatever takes a network takes an ensemble.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from netwright.errors import InputError
from netwright.training.goals import Goal, Several

Array = np.ndarray[Any, Any]

LEAST = 1e-30
"""The least probability whose logarithm is taken."""


@final
class Ensemble(nn.Module):
    """One network of several: the weighted mean of their answers, by goal (:func:`combine`).

    ``counts`` say how often each member counts, whole numbers from 1 on. InputError for goals without a mean of that
    kind, which :func:`check` tells before anything is trained.
    """

    def __init__(self, members: Sequence[nn.Module], counts: Sequence[int], goal: Goal) -> None:
        super().__init__()
        check(goal)
        if not members or len(members) != len(counts) or min(counts) < 1:
            raise InputError(
                f"an ensemble has a count of at least 1 for each of its members, found {len(members)} members and "
                f"the counts {list(counts)}"
            )
        self.members = nn.ModuleList(members)
        self.shares = [count / sum(counts) for count in counts]
        self.goal = goal

    def forward(self, x: Tensor) -> Tensor:
        return combine([member(x) for member in self.members], self.shares, self.goal)


def check(goal: Goal) -> None:
    """InputError where a goal's networks are not averaged: the next of many tokens takes too much room."""
    if goal.name == "tokens":
        raise InputError(
            "language models are not averaged: the probabilities of all tokens at all places take too much room",
            hint="Leave out the ensemble",
        )


def combine(outputs: Sequence[Tensor], shares: Sequence[float], goal: Goal) -> Tensor:
    """The outputs of an ensemble from those of its members; ``shares`` add up to 1.

    Of classes log Σₖ shareₖ · softmax(outputₖ), whose softmax is the mean of the probabilities; of labels the logit of
    the mean probability of each; of numbers the mean. Of several things at once each in its own way.
    """
    if goal.name == "classification":
        return _classes(outputs, shares)
    if goal.name == "labels":
        yes = _mean([torch.sigmoid(output) for output in outputs], shares)
        # The other side by its own sum: 1 − p has lost all digits where p is near 1.
        no = _mean([torch.sigmoid(-output) for output in outputs], shares)
        return _log(yes) - _log(no)
    if isinstance(goal, Several):
        parts, start = [], 0
        for size in goal.heads:
            own = [output[:, start : start + size] for output in outputs]
            parts.append(_classes(own, shares) if size > 1 else _mean(own, shares))
            start += size
        return torch.cat(parts, 1)
    return _mean(outputs, shares)


@dataclass(frozen=True)
class Choice:
    """How often each candidate counts, and the loss of the ensemble and of the best candidate alone."""

    counts: tuple[int, ...]
    loss: float
    single: float


def choose(outputs: Sequence[Array], targets: Array, goal: Goal, size: int) -> Choice:
    """Ensemble selection from ``outputs``, one array a candidate, on examples that none of them was trained on.

    Begins with the best candidate; then, ``size`` times in all, takes the candidate that makes the ensemble best, with
    replacement (Caruana et al. 2004). Of all the ensembles on the way the best is kept, the smallest of equal ones.
    Best is the least loss: few examples tell more by it than by the number of right answers.
    """
    check(goal)
    if size < 1 or not outputs:
        raise InputError(f"an ensemble has at least 1 member of at least 1 candidate, found {size} of {len(outputs)}")
    truth = torch.from_numpy(np.asarray(targets))
    parts = [_part(torch.from_numpy(np.asarray(output)), goal) for output in outputs]
    total = torch.zeros_like(parts[0])
    counts = [0] * len(parts)
    best: tuple[float, list[int]] | None = None
    first = 0.0
    for taken in range(1, size + 1):
        losses = [_loss((total + part) / taken, truth, goal) for part in parts]
        winner = int(np.argmin(losses))
        total = total + parts[winner]
        counts[winner] += 1
        if taken == 1:
            first = losses[winner]
        if best is None or losses[winner] < best[0]:
            best = losses[winner], list(counts)
    assert best is not None
    return Choice(tuple(best[1]), best[0], first)


def mixed(outputs: Sequence[Array], counts: Sequence[int], goal: Goal) -> Array:
    """:func:`combine` for arrays, in double precision; candidates that count 0 times are left out."""
    taken = [(torch.from_numpy(np.asarray(o, np.float64)), c) for o, c in zip(outputs, counts, strict=True) if c]
    whole = sum(count for _, count in taken)
    answer: Array = combine([output for output, _ in taken], [count / whole for _, count in taken], goal).numpy()
    return answer


def _classes(outputs: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    return _log(_mean([functional.softmax(output, -1) for output in outputs], shares))


def _mean(values: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    total = values[0] * shares[0]
    for value, share in zip(values[1:], shares[1:], strict=True):
        total = total + value * share
    return total


def _log(values: Tensor) -> Tensor:
    return torch.log(values.clamp(min=LEAST))


def _part(output: Tensor, goal: Goal) -> Tensor:
    """What of a candidate is averaged: probabilities or numbers, in double precision."""
    output = output.double()
    if goal.name == "classification":
        return functional.softmax(output, -1)
    if goal.name == "labels":
        return torch.stack([torch.sigmoid(output), torch.sigmoid(-output)])
    if isinstance(goal, Several):
        heads = torch.split(output, list(goal.heads), 1)
        return torch.cat([functional.softmax(head, -1) if head.shape[1] > 1 else head for head in heads], 1)
    return output


def _loss(mean: Tensor, targets: Tensor, goal: Goal) -> float:
    """The loss of an ensemble from the mean of its parts."""
    if goal.name == "classification":
        mean = _log(mean)
    elif goal.name == "labels":
        mean = _log(mean[0]) - _log(mean[1])
    elif isinstance(goal, Several):
        heads = torch.split(mean, list(goal.heads), 1)
        mean = torch.cat([_log(head) if head.shape[1] > 1 else head for head in heads], 1)
    return float(goal.loss(mean, targets.double() if targets.is_floating_point() else targets))
