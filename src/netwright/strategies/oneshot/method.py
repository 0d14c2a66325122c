"""The contract of a one-shot method: how the weights of a supernet are trained, and which architectures it prefers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from netwright.architecture import Architecture
from netwright.supernet.relaxations import Relaxation
from netwright.supernet.supernet import Supernet
from netwright.supernet.switches import Way

Loss = Callable[[Tensor, Tensor], Tensor]
Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Course:
    """What a method is told of the training that begins: ``steps`` in all, ``epochs``, the loss, and a seed."""

    steps: int
    epochs: int
    loss: Loss
    seed: int = 0


class Method(ABC):
    """Trains a supernet step by step; the classes below it are final, and hold the published defaults.

    ``halves`` says whether the numbers of the architecture learn from data of their own, half of the training data.
    """

    epochs: int
    batch_size: int
    halves: bool = True
    relaxation: Relaxation | None = None
    """What learns which architectures are good, once it has started, in the methods that have such a thing."""

    @abstractmethod
    def start(self, supernet: Supernet, course: Course) -> None:
        """Called once before the first step; forgets what was before."""

    @abstractmethod
    def step(self, number: int, train: Batch, valid: Batch | None) -> Tensor:
        """One step; the loss on ``train``, without a gradient. ``valid`` is of the other half."""

    def ranked(self, count: int) -> list[Architecture] | None:
        """The architectures that it prefers, the best first; None where the supernet is to be searched instead."""
        return None if self.relaxation is None else self.relaxation.ranked(count)

    def probabilities(self) -> Mapping[str, Tensor]:
        """What each option of each decision counts for, where the method knows."""
        return {} if self.relaxation is None else self.relaxation.probabilities()


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """The learning rate of all groups."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def loss_at(supernet: Supernet, ways: Mapping[str, Way], loss: Loss, batch: Batch) -> Tensor:
    """The loss of the supernet with these ways on a batch."""
    return loss(supernet.mixed(ways)(batch[0]), batch[1])


def clipped_step(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], clip: float | None) -> None:
    """A step with the norm of the gradient cut to ``clip``."""
    if clip is not None:
        nn.utils.clip_grad_norm_(parameters, clip)
    optimizer.step()
