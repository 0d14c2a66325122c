"""What an architecture is worth on a few validation batches, by the weights of a supernet: the reward of a sampler."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, final

import torch
from torch import Tensor, nn

from netwright.architecture import Architecture
from netwright.space.traceless import evaluating
from netwright.strategies.oneshot.method import Batch, Course
from netwright.supernet.supernet import Supernet

KEPT = 10
"""Validation batches that are kept, the last ones."""


def reward(supernet: Supernet, architecture: Architecture, course: Course, batches: Sequence[Batch]) -> float:
    """The mean over the batches of what the outputs are worth, with what the network costs if that is asked for.

    That is the part of the classes that are right; for numbers exp(−loss), which is above 0, too, and at most 1 (as
    the inverse perplexity that ENAS has for language). Norms use the statistics of each batch, as published by Pham et
    al. 2018, and nothing in the supernet changes.
    """
    network = supernet.at(architecture)
    # Batches out of a checkpoint are where it was read.
    device = next(supernet.network.parameters(), torch.empty(0)).device
    with torch.no_grad(), batch_statistics(network):
        worths = [
            _worth(course, course.outputs_of(network, inputs.to(device)), targets.to(device))
            for inputs, targets in batches
        ]
    score = sum(worths) / len(worths)
    return score if course.hardware is None else course.hardware.reward(score, architecture)


def best_by(
    score: Callable[[Architecture], float],
    drawn: Iterable[Architecture],
    count: int,
    stop: Callable[[], bool] | None = None,
) -> list[Architecture]:
    """The ``count`` of the architectures with the best scores, the best first; of two alike the one drawn first.

    ``stop`` is asked before each is scored; where it says so those scored are all there are, but at least ``count``
    are. To end at once it raises.
    """
    scored: list[tuple[float, Architecture]] = []
    for architecture in drawn:
        if stop is not None and stop() and len(scored) >= count:
            break
        scored.append((score(architecture), architecture))
    return [architecture for _, architecture in sorted(scored, key=lambda pair: -pair[0])][:count]


@contextmanager
def batch_statistics(network: nn.Module) -> Iterator[nn.Module]:
    """``network`` without dropout, its BatchNorms with the statistics of each batch; those that run stay as they are.

    Afterwards every module is in the mode that it was in.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    tracking = [norm.track_running_stats for norm in norms]
    with evaluating(network):
        for norm in norms:
            norm.training, norm.track_running_stats = True, False
        try:
            yield network
        finally:
            for norm, tracks in zip(norms, tracking, strict=True):
                norm.track_running_stats = tracks


@final
class LastBatches(nn.Module):
    """The last validation batches; a checkpoint holds them, so that what is scored later is scored on the same."""

    def __init__(self, most: int = KEPT) -> None:
        super().__init__()
        self.most = most
        self.batches: list[Batch] = []

    def add(self, batch: Batch) -> None:
        """Takes a batch in, and lets go of the oldest where there are more than ``most``."""
        self.batches = [*self.batches, batch][-self.most :]

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        for place, (inputs, targets) in enumerate(self.batches):
            destination |= {f"{prefix}inputs{place}": inputs, f"{prefix}targets{place}": targets}

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *_: Any) -> None:
        count = len(state_dict) // 2
        names = [(f"{prefix}inputs{place}", f"{prefix}targets{place}") for place in range(count)]
        self.batches = [(state_dict[inputs].clone(), state_dict[targets].clone()) for inputs, targets in names]


def _worth(course: Course, outputs: Tensor, targets: Tensor) -> float:
    if targets.is_floating_point():
        return math.exp(-float(course.loss(outputs, targets)))
    return float((outputs.argmax(1) == targets).double().mean())
