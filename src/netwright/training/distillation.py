"""Distillation: a network learns the answers of a better one beside the labels (Hinton, Vinyals and Dean 2015)."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from netwright.arguments import positive, share


@final
@dataclass(frozen=True)
class Teacher:
    """A trained network, and how much of the loss is what it says: ``(1 - weight) · loss + weight · lesson``.

    Of classes the lesson is the divergence of its probabilities from the learner's, both at ``temperature``, times the
    square of that, so that gradients keep their size. Of numbers it is the mean squared difference; both networks have
    to standardise their targets alike.
    """

    network: nn.Module
    weight: float = 0.5
    temperature: float = 4.0
    _copies: dict[torch.device, nn.Module] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        share("Teacher", weight=self.weight)
        positive("Teacher", temperature=self.temperature)

    def mixed(self, loss: Tensor, outputs: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """The loss with the lesson of the batch ``x`` in it; ``y`` of whole numbers means classes."""
        with torch.no_grad():
            said = self._on(x.device)(x)
        if y.is_floating_point():
            lesson = functional.mse_loss(outputs, said)
        else:
            learnt, known = ((each / self.temperature).log_softmax(-1) for each in (outputs, said))
            lesson = functional.kl_div(learnt, known, reduction="batchmean", log_target=True) * self.temperature**2
        return (1 - self.weight) * loss + self.weight * lesson

    def _on(self, device: torch.device) -> nn.Module:
        """A copy on that device, in evaluation mode: the network of the caller stays as it is."""
        if device not in self._copies:
            self._copies[device] = copy.deepcopy(self.network).to(device).eval().requires_grad_(False)
        return self._copies[device]
