"""A study small enough to be killed a hundred times; its scores are functions of architecture and seed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from netwright.architecture import Architecture
from netwright.evaluators.base import Candidate
from netwright.space import SearchSpace, choose, one_of, repeat
from netwright.strategies import Evolution
from netwright.study import Study

METRIC = "score"
PARALLEL = 4
TRIALS = 90


class Toy(nn.Module):
    """One to four blocks of three kinds, one of which asks more: 8 · (5 + 5² + 5³ + 5⁴) = 6,240 architectures."""

    def __init__(self, input_shape: tuple[int, ...] = (4,), outputs: int = 2) -> None:
        super().__init__()
        width = choose("width", *range(2, 10))

        def gated(name: str) -> nn.Module:
            return nn.Sequential(nn.Linear(width, width), nn.Dropout(choose(f"{name}.rate", 0.1, 0.2, 0.3)))

        self.stem = nn.Linear(input_shape[0], width)
        self.body = repeat(
            "depth",
            lambda i: one_of(
                f"block{i}",
                linear=lambda: nn.Linear(width, width),
                gated=lambda: gated(f"block{i}"),
                skip=nn.Identity,
            ),
            1,
            4,
        )
        self.head = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(self.stem(x)))
        return out


def space() -> SearchSpace:
    return SearchSpace(Toy, input_shape=(4,), outputs=2)


def digest(architecture: Mapping[str, Any], seed: int) -> bytes:
    return hashlib.sha256(f"{Architecture(architecture).key}|{seed}".encode()).digest()


def score(architecture: Mapping[str, Any], seed: int) -> float:
    """The score of a candidate that inherits nothing."""
    noise = int.from_bytes(digest(architecture, seed)[2:8]) / 2**50
    return float(architecture["width"] / 10 + architecture["depth"] / 40 + noise)


@dataclass(frozen=True)
class Hashing:
    """A score without training: width and depth count, the rest is noise fixed by the seed. Some candidates raise.

    With ``keep`` each leaves a weight behind, and a child's score depends on its parent's weight, so that a resume
    that loses or mixes weights ends in another table.
    """

    keep: bool = False
    delay: float = 0.0
    raises: float = 0.06
    size: int = 64

    @property
    def inherits(self) -> bool:
        return self.keep

    def __call__(self, candidate: Candidate) -> Mapping[str, float]:
        noise = digest(candidate.architecture, candidate.seed)
        if self.delay:
            time.sleep(self.delay * (0.5 + noise[1] / 255))
        if noise[0] < 256 * self.raises:
            raise ValueError(f"candidate of seed {candidate.seed} was not to be")
        value = score(candidate.architecture, candidate.seed)
        if self.keep:
            value += 0.1 * _parent(candidate)
            import torch

            candidate.keep({"w": torch.full((self.size,), value, dtype=torch.float64)})
        return {METRIC: value, "noise": noise[8] / 256}


def _parent(candidate: Candidate) -> float:
    if candidate.heritage is None:
        return 0.0
    from netwright.training import load_weights

    heritage = candidate.heritage
    return float(load_weights(heritage.weights, heritage.sha256)["w"][0])


@dataclass(frozen=True)
class Shape:
    """The input shape by which costs are measured, for the variant with a limit on parameters."""

    inner: Hashing
    input_shape: tuple[int, ...] = (4,)
    inherits: bool = False

    def __call__(self, candidate: Candidate) -> Mapping[str, float]:
        return self.inner(candidate)


VARIANTS: Mapping[str, Callable[[float], tuple[Any, dict[str, Any]]]] = {
    "plain": lambda delay: (Hashing(delay=delay), {}),
    "weights": lambda delay: (Hashing(keep=True, delay=delay), {}),
    "limits": lambda delay: (Shape(Hashing(delay=delay)), {"constraints": {"params": 160}}),
    "heavy": lambda delay: (Hashing(keep=True, delay=delay, size=2**19), {}),
    "failing": lambda delay: (Hashing(raises=1.1), {}),
    "nearly failing": lambda delay: (Hashing(raises=0.99), {}),
    "asynchronous": lambda delay: (Hashing(delay=delay), {"asynchronous": True}),
}


def study(
    folder: Path | None, variant: str = "plain", *, delay: float = 0.0, executor: Any = "in_process", **options: Any
) -> Study:
    """The study of a variant in ``folder``."""
    evaluator, more = VARIANTS[variant](delay)
    return Study(
        space(),
        Evolution(population=8, tournament=3),
        evaluator,
        maximize=METRIC,
        store=folder,
        seed=3,
        parallel=PARALLEL,
        executor=executor,
        **{**more, **options},
    )
