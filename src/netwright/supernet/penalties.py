"""How an expected cost comes into the loss in which the numbers of an architecture learn.

A penalty is called with the loss and the expected cost, both scalars with a gradient, and gives what is minimised.
Several costs are several penalties, one after the other.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from torch import Tensor

from netwright.errors import InputError


class Penalty(ABC):
    """The loss with an expected cost in it; ``target`` is the cost that is wanted, in the same unit."""

    target: float

    @abstractmethod
    def __call__(self, loss: Tensor, expected: Tensor) -> Tensor:
        """What is minimised; its gradient reaches all on which the loss or the expected cost depends."""

    def settled(self, expected: float) -> None:  # noqa: B027 - most forms do not change
        """Called after each step of the numbers, with the expected cost that they have now."""

    def said(self) -> Mapping[str, Any]:
        """Its state, as JSON holds it; see :meth:`recall`."""
        return {}

    def recall(self, said: Mapping[str, Any]) -> None:  # noqa: B027 - most forms have nothing to keep
        """Takes what :meth:`said` gave."""


@final
@dataclass(frozen=True)
class Multiplied(Penalty):
    """loss · alpha · (log E / log target)^beta, for an expected cost E.

    ProxylessNAS (Cai, Zhu and Han 2019); the defaults are those of its published command line (without it: 1 and 0.6).
    The logarithms want a unit in which costs are above 1: InputError for a target or an expected cost that is not.
    """

    target: float
    alpha: float = 0.2
    beta: float = 0.3

    def __post_init__(self) -> None:
        _check_positive(self, "target", "alpha", "beta")
        if self.target <= 1:
            raise InputError(
                f"the loss is multiplied by a power of log E / log target, found target={self.target}", hint=_UNIT
            )

    def __call__(self, loss: Tensor, expected: Tensor) -> Tensor:
        if float(expected.detach()) <= 1:
            raise InputError(
                f"the expected cost is {float(expected.detach()):g}, its logarithm is not positive", hint=_UNIT
            )
        return loss * self.alpha * (expected.log() / math.log(self.target)) ** self.beta


@final
@dataclass(frozen=True)
class Added(Penalty):
    """loss + weight · (E − target) / target, for an expected cost E.

    ProxylessNAS (Cai, Zhu and Han 2019, equation 8); the weight is that of its published command line. It pulls beyond
    the target as strongly as towards it.
    """

    target: float
    weight: float = 0.1

    def __post_init__(self) -> None:
        _check_positive(self, "target", "weight")

    def __call__(self, loss: Tensor, expected: Tensor) -> Tensor:
        return loss + self.weight * (expected - self.target) / self.target


@final
class Lagrangian(Penalty):
    """loss + weight · max(0, E / target − 1), for an expected cost E: the target is a limit, met from above.

    After each step of the numbers the weight grows by ``rate`` · max(0, E / target − 1): as long as the limit is
    broken, and never falls. Below the limit the loss alone speaks. At a weight of 0, as at first by default, the cost
    has no gradient yet.
    """

    def __init__(self, target: float, rate: float = 0.1, weight: float = 0.0) -> None:
        self.target, self.rate, self.weight = target, rate, weight
        _check_positive(self, "target", "rate")
        if not 0 <= weight < math.inf:
            raise InputError(f"the weight of a limit is a number from 0, found {weight}")

    def __call__(self, loss: Tensor, expected: Tensor) -> Tensor:
        return loss + self.weight * (expected / self.target - 1).clamp_min(0)

    def settled(self, expected: float) -> None:
        self.weight += self.rate * max(0.0, expected / self.target - 1)

    def said(self) -> Mapping[str, Any]:
        return {"weight": self.weight}

    def recall(self, said: Mapping[str, Any]) -> None:
        self.weight = float(said["weight"])


_UNIT = "Give the costs in a smaller unit, such as microseconds."


def _check_positive(penalty: Penalty, *names: str) -> None:
    for name in names:
        value = getattr(penalty, name)
        if not 0 < value < math.inf:
            raise InputError(f"{name} of {type(penalty).__name__} is a positive number, found {value}")
