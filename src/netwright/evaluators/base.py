"""The contract of an evaluator: a function from a candidate to numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netwright.architecture import Architecture
from netwright.space import SearchSpace
from netwright.trial import Budget

if TYPE_CHECKING:
    import torch

    from netwright.training.data import Data


@dataclass(frozen=True)
class Heritage:
    """The weights that a candidate starts from.

    ``same`` says whether they are its own, from a smaller budget (a promotion); ``epochs`` counts the epochs of the
    whole lineage so far; ``sha256`` is what the journal says of the file, by which ``load_weights`` knows it. ``study``
    is the folder of another study that ``number`` is a trial of, None for this one: what was trained there, on whatever
    data, is a beginning and saves no epochs, and ``epochs`` is 0.
    """

    number: int
    weights: Path
    same: bool
    epochs: float = 0.0
    sha256: str | None = None
    study: str | None = None


def _no_report(step: int, metrics: Mapping[str, float]) -> None:
    pass


def _no_keep(state: Mapping[str, Any]) -> None:
    pass


@dataclass
class Candidate:
    """One architecture on its way through an evaluator.

    ``seed`` fixes its initial weights and its training; ``device`` is a torch device's name; ``heritage`` is None for
    a start from scratch.
    """

    architecture: Architecture
    space: SearchSpace
    budget: Budget = None
    seed: int = 0
    device: str = "cpu"
    heritage: Heritage | None = None
    on_report: Callable[[int, Mapping[str, float]], None] = field(default=_no_report, repr=False)
    on_keep: Callable[[Mapping[str, Any]], None] = field(default=_no_keep, repr=False)

    def network(self) -> torch.nn.Module:
        """The architecture built with fresh weights on ``device``; the same weights for the same seed."""
        import torch

        torch.manual_seed(self.seed)
        return self.space.build(self.architecture).to(self.device)

    def report(self, step: int, **metrics: float) -> None:
        """Tells the study how far the evaluation is; one call an epoch is usual."""
        self.on_report(step, metrics)

    def keep(self, state: Mapping[str, torch.Tensor]) -> None:
        """Keeps these weights for trials that inherit from this one."""
        self.on_keep(state)


class OfData:
    """What an evaluator whose numbers come from ``data`` says of them."""

    data: Data

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input, without the batch; by it the costs are measured."""
        return self.data.input_shape

    @property
    def fingerprint(self) -> str:
        """The identity of the data."""
        return self.data.fingerprint


Evaluator = Callable[[Candidate], Mapping[str, float]]
"""Answers with metrics: names to finite numbers. What it raises costs only the candidate."""
