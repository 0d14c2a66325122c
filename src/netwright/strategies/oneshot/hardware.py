"""What networks cost where they will run, in the loss or in the reward of a method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

from torch import Tensor

from netwright.architecture import Architecture
from netwright.errors import InputError
from netwright.supernet.operations import OperationTable
from netwright.supernet.penalties import Penalty

EXPONENT = 0.1
"""A reward is multiplied by (target / cost) to this power where the cost is over the target.

The power is that of the published ProxylessNAS by REINFORCE, which takes it below the target too; here a network within
its limit is judged by its score alone.
"""


@final
class Costs:
    """Costs, each with its table of operations, and the form in which it comes into the loss.

    Implements :class:`~netwright.strategies.oneshot.method.Hardware`. Several costs come in one after the other.
    """

    def __init__(self, terms: Sequence[tuple[OperationTable, Penalty]]) -> None:
        self.terms = tuple(terms)

    def penalized(self, loss: Tensor, probabilities: Mapping[str, Tensor]) -> Tensor:
        """The loss with the expected costs in it, each by its form."""
        for table, penalty in self.terms:
            loss = penalty(loss, table.expected(probabilities))
        return loss

    def reward(self, score: float, architecture: Architecture) -> float:
        """The score, less where the architecture is over a target."""
        for table, penalty in self.terms:
            score *= min(1.0, penalty.target / max(table.of(architecture), 1e-12)) ** EXPONENT
        return score

    def settled(self, probabilities: Mapping[str, Tensor]) -> None:
        """Lets each form see what networks cost on average now."""
        for table, penalty in self.terms:
            penalty.settled(float(table.expected(probabilities).detach()))

    def said(self) -> list[Mapping[str, Any]]:
        """The state of the forms, as JSON holds it."""
        return [dict(penalty.said()) for _, penalty in self.terms]

    def recall(self, said: Sequence[Mapping[str, Any]]) -> None:
        """Takes what :meth:`said` gave."""
        if len(said) != len(self.terms):
            raise InputError(f"the checkpoint is of a search with {len(said)} costs in the loss, now {len(self.terms)}")
        for (_, penalty), state in zip(self.terms, said, strict=True):
            penalty.recall(state)
