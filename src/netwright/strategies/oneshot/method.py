"""The contract of a one-shot method: how the weights of a supernet are trained, and which architectures it prefers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from netwright.architecture import Architecture
from netwright.space import SearchSpace
from netwright.supernet.relaxations import Relaxation
from netwright.supernet.supernet import Supernet
from netwright.supernet.switches import Way

Loss = Callable[[Tensor, Tensor], Tensor]
Batch = tuple[Tensor, Tensor]
MakeOptimizer = Callable[[list[nn.Parameter]], torch.optim.Optimizer]
Schedule = Callable[[float], float]
"""From the part of the course that is over, 0 to 1, to a factor of the optimiser's own learning rate."""
Stateful = nn.Module | torch.optim.Optimizer | torch.Generator


class Hardware(Protocol):
    """What the network costs where it will run, as a method needs it: in a loss, or in a reward."""

    def penalized(self, loss: Tensor, probabilities: Mapping[str, Tensor]) -> Tensor:
        """The loss with the expected costs in it."""

    def reward(self, score: float, architecture: Architecture) -> float:
        """A score with the costs of one architecture in it."""

    def settled(self, probabilities: Mapping[str, Tensor]) -> None:
        """Called after each step of the numbers."""

    def said(self) -> list[Mapping[str, Any]]:
        """Its state, as JSON holds it, for a checkpoint."""

    def recall(self, said: Sequence[Mapping[str, Any]]) -> None:
        """Takes what :meth:`said` gave."""


@dataclass(frozen=True)
class Course:
    """What a method is told of the training that begins.

    ``steps`` in all, ``epochs``, the loss of outputs and targets, a seed. ``optimizer`` and ``numbers_optimizer``
    replace the method's own, ``schedule`` its learning rates of the weights; ``precision`` is the type that forward
    passes are done in (``torch.autocast``; None for that of the weights). ``hardware`` says what networks cost.
    """

    steps: int
    epochs: int
    loss: Loss
    seed: int = 0
    optimizer: MakeOptimizer | None = None
    numbers_optimizer: MakeOptimizer | None = None
    schedule: Schedule | None = None
    precision: torch.dtype | None = None
    hardware: Hardware | None = None
    scale: float = 1.0
    """What the method's own learning rate of the weights is multiplied by: for a batch smaller than the published."""
    numbers_scale: float = 1.0
    """And that of the numbers: for fewer steps than the published, in which they could not travel as far."""

    def loss_of(self, network: nn.Module, batch: Batch) -> Tensor:
        """The loss of a network on a batch."""
        return self.loss(self.outputs_of(network, batch[0]), batch[1])

    def outputs_of(self, network: nn.Module, inputs: Tensor) -> Tensor:
        """What a network gives, in single precision where the forward pass was in less."""
        if self.precision is None:
            outputs: Tensor = network(inputs)
            return outputs
        with torch.autocast(inputs.device.type, dtype=self.precision):
            outputs = network(inputs)
        return outputs.float()

    def learner(self, numbers: list[nn.Parameter], usual: MakeOptimizer) -> torch.optim.Optimizer:
        """The optimiser of the numbers; ``usual`` makes the method's own."""
        if self.numbers_optimizer is not None:
            return self.numbers_optimizer(numbers)
        made = usual(numbers)
        for group in made.param_groups:
            group["lr"] *= self.numbers_scale
        return made

    def pace(self, optimizer: torch.optim.Optimizer, number: int, usual: Schedule) -> None:
        """Sets the learning rates for step ``number``; ``usual`` is the method's own schedule."""
        factor = self.scale * (self.schedule or usual)(number / self.steps)
        for group in optimizer.param_groups:
            group["lr"] = factor * group.setdefault("initial_lr", group["lr"])

    def penalized(self, loss: Tensor, probabilities: Mapping[str, Tensor]) -> Tensor:
        """The loss with what the network costs, if that is asked for."""
        return loss if self.hardware is None else self.hardware.penalized(loss, probabilities)


class Method(ABC):
    """Trains a supernet step by step; the classes below it are final, and hold the published defaults.

    ``halves`` says whether the numbers of the architecture learn from data of their own, half of the training data.
    """

    epochs: int
    batch_size: int
    halves: bool = True
    ranks: bool = True
    """Whether it prefers architectures itself; else its supernet is searched when it is trained."""
    arranged: bool = True
    """Whether it is quicker where a supernet's images lie as is best for whole mixtures (``Supernet.arrange``)."""
    published_steps: int = 0
    """Steps of the numbers in the paper's search; 0 where nothing has numbers that learn step by step."""
    relaxation: Relaxation | None = None
    """What learns which architectures are good, once it has started, in the methods that have such a thing."""
    stateful: Mapping[str, Stateful] = {}
    """Once it has started: all that a checkpoint must hold besides the weights of the supernet, by names of its own."""

    @property
    def period(self) -> int:
        """After so many steps what a step costs begins anew: one of them may be dearer than the others."""
        return 1

    @abstractmethod
    def start(self, supernet: Supernet, course: Course) -> None:
        """Called once before the first step; forgets what was before. SpaceError for a space that it cannot search."""

    @abstractmethod
    def step(self, number: int, train: Batch, valid: Batch | None) -> Tensor:
        """One step; the loss on ``train``, without a gradient. ``valid`` is of the other half."""

    def ranked(
        self, count: int, space: SearchSpace | None = None, stop: Callable[[], bool] | None = None
    ) -> list[Architecture] | None:
        """The architectures of ``space`` that it prefers, the best first; None where the supernet is to be searched.

        ``space`` is the supernet's, or a part of it (:meth:`~netwright.space.SearchSpace.restrict`). A method that
        scores many architectures for that asks ``stop`` before each: it answers whether there are enough once
        ``count`` are scored, and may raise.
        """
        return None if self.relaxation is None else self.relaxation.ranked(count, space)

    def probabilities(self) -> Mapping[str, Tensor]:
        """What each option of each decision counts for, where the method knows."""
        return {} if self.relaxation is None else self.relaxation.probabilities()

    def said(self) -> Mapping[str, Any]:
        """Further state, as JSON holds it, that a checkpoint keeps; see :meth:`recall`."""
        return {}

    def reshape(self, said: Mapping[str, Any]) -> None:  # noqa: B027 - most methods leave all shapes as they are
        """Gives the supernet the shapes of when :meth:`said` said this: after :meth:`start`, before weights come."""

    def recall(self, said: Mapping[str, Any]) -> None:  # noqa: B027 - most methods have nothing else to keep
        """Takes what :meth:`said` gave, after :meth:`start`."""


def loss_at(supernet: Supernet, ways: Mapping[str, Way], course: Course, batch: Batch) -> Tensor:
    """The loss of the supernet with these ways on a batch."""
    return course.loss_of(supernet.mixed(ways), batch)


def clipped_step(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], clip: float | None) -> None:
    """A step with the norm of the gradient cut to ``clip``."""
    if clip is not None:
        nn.utils.clip_grad_norm_(parameters, clip)
    optimizer.step()
