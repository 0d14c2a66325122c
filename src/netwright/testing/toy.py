"""Small real things: networks with open decisions, spaces, evaluators, data.

The networks take images of 6 by 6 pixels with one channel and answer with two classes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netwright.architecture import Architecture
from netwright.evaluators.base import Candidate
from netwright.space import SearchSpace, choose, inputs, one_of, repeat, scope
from netwright.trial import Objective

INPUT_SHAPE = (1, 6, 6)
CLASSES = 2
OBJECTIVE = Objective("score", "maximize")


class Flat(nn.Module):
    """Four decisions that are always asked: 3 · 2 · 2 · 2 = 24 architectures."""

    def __init__(self, input_shape: tuple[int, ...] = INPUT_SHAPE, classes: int = CLASSES) -> None:
        super().__init__()
        width = choose("width", 2, 3, 4)
        kernel = choose("kernel", 1, 3)
        self.stem = nn.Conv2d(input_shape[0], width, kernel, padding=kernel // 2, bias=choose("bias", False, True))
        self.activation = one_of("activation", relu=nn.ReLU, tanh=nn.Tanh)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.activation(self.stem(x)).mean((2, 3)))
        return out


class Conditional(nn.Module):
    """One to three blocks, each of a kind that asks more or not: 2 · (4 + 4² + 4³) = 168 architectures."""

    def __init__(self, input_shape: tuple[int, ...] = INPUT_SHAPE, classes: int = CLASSES) -> None:
        super().__init__()
        width = choose("width", 2, 4)

        def convolution(name: str) -> nn.Module:
            kernel = choose(f"{name}.kernel", 1, 3, 5)
            return nn.Conv2d(width, width, kernel, padding=kernel // 2)

        self.stem = nn.Conv2d(input_shape[0], width, 1)
        self.body = repeat(
            "depth",
            lambda i: one_of(f"block{i}", convolution=lambda: convolution(f"block{i}"), skip=nn.Identity),
            1,
            3,
        )
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(self.stem(x)).mean((2, 3)))
        return out


class Shared(nn.Module):
    """Two cells that ask the same names, one of them behind a decision: 2 · 3 · 2 = 12 architectures."""

    def __init__(self, input_shape: tuple[int, ...] = INPUT_SHAPE, classes: int = CLASSES) -> None:
        super().__init__()

        def cell() -> nn.Module:
            kernel = choose("cell.kernel", 1, 3, 5)
            return nn.Sequential(
                nn.Conv2d(2, 2, kernel, padding=kernel // 2), one_of("cell.activation", relu=nn.ReLU, tanh=nn.Tanh)
            )

        self.stem = nn.Conv2d(input_shape[0], 2, 1)
        self.first = cell()
        self.second = one_of("second", again=cell, skip=nn.Identity)
        self.head = nn.Linear(2, classes)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.second(self.first(self.stem(x))).mean((2, 3)))
        return out


class Mixed(nn.Module):
    """Continuous, logarithmic, whole and stepped ranges beside a choice; no end of architectures."""

    def __init__(self, input_shape: tuple[int, ...] = INPUT_SHAPE, classes: int = CLASSES) -> None:
        super().__init__()
        self.width = choose("width", low=2, high=8)
        self.slope = choose("slope", low=0.01, high=1.0, log=True)
        self.scale = choose("scale", low=0.0, high=1.0)
        rate = choose("rate", low=0.0, high=0.5, step=0.25)
        self.body = nn.Sequential(
            nn.Flatten(),
            nn.Linear(int(np.prod(input_shape)), self.width),
            one_of("activation", leaky=lambda: nn.LeakyReLU(self.slope), tanh=nn.Tanh),
            nn.Dropout(rate),
        )
        self.head = nn.Linear(self.width, classes)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(x)) * (1 + self.scale)
        return out


class Cell(nn.Module):
    """A cell of three nodes, each with its inputs and its operation, as the published cell spaces have.

    2 · (2·2) · (3·2) = 48 architectures.
    """

    def __init__(self, input_shape: tuple[int, ...] = INPUT_SHAPE, classes: int = CLASSES) -> None:
        super().__init__()
        self.stem = nn.Conv2d(input_shape[0], 2, 1)
        self.sources: list[Callable[..., Any]] = []
        self.operations = nn.ModuleList()
        for node, states in enumerate((1, 2, 3)):
            with scope(f"node{node}"):
                self.sources.append(inputs("from", states, pick=1 if states < 3 else 2))
                self.operations.append(
                    one_of("operation", convolution=lambda: nn.Conv2d(2, 2, 3, padding=1), skip=nn.Identity)
                )
        self.head = nn.Linear(2, classes)

    def forward(self, x: Tensor) -> Tensor:
        states = [self.stem(x)]
        for source, operation in zip(self.sources, self.operations, strict=True):
            states.append(operation(source(states)))
        out: Tensor = self.head(states[-1].mean((2, 3)))
        return out


class Dials(nn.Module):
    """Twenty decisions of four options each, without conditions: 4²⁰ architectures, as cheap as can be."""

    def __init__(self, classes: int = CLASSES) -> None:
        super().__init__()
        self.sum = sum(choose(f"dial{i:02}", 0, 1, 2, 3) for i in range(20))
        self.head = nn.Linear(1, classes)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(x.mean((1, 2, 3), keepdim=False)[:, None] + self.sum)
        return out


class Point(nn.Module):
    """One decision with one option: a single architecture."""

    def __init__(self, input_shape: tuple[int, ...] = INPUT_SHAPE, classes: int = CLASSES) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(input_shape)), choose("width", 2)), nn.ReLU())
        self.head = nn.Linear(2, classes)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(x))
        return out


def _narrow_or_small(architecture: Mapping[str, Any]) -> bool:
    return bool(architecture["width"] < 4 or architecture["kernel"] < 3)


SPACES: Mapping[str, Callable[[], SearchSpace]] = {
    "flat": lambda: SearchSpace(Flat),
    "conditional": lambda: SearchSpace(Conditional),
    "shared": lambda: SearchSpace(Shared),
    "mixed": lambda: SearchSpace(Mixed),
    "cell": lambda: SearchSpace(Cell),
    "dials": lambda: SearchSpace(Dials),
    "constrained": lambda: SearchSpace(Flat, where=_narrow_or_small),
    "point": lambda: SearchSpace(Point),
}
"""A space of each kind, by name; each call makes a new one."""


def example(batch: int = 2) -> Tensor:
    """A batch of images that every network here takes."""
    return torch.linspace(-1, 1, batch * 36).reshape(batch, *INPUT_SHAPE)


def sum_of_answers(candidate: Candidate) -> dict[str, float]:
    """An evaluator: the sum of all numbers among the answers."""
    return {"score": float(sum(_numbers(candidate.architecture.values())))}


def digest(candidate: Candidate) -> dict[str, float]:
    """An evaluator: numbers in [0, 1) that depend on nothing but the architecture, and on all of it."""
    return digest_of(candidate.architecture)


def digest_of(architecture: Architecture) -> dict[str, float]:
    """What :func:`digest` answers for an architecture: ``score`` and, independent of it, ``price``."""
    found = hashlib.sha256(architecture.to_json().encode()).digest()
    return {"score": int.from_bytes(found[:6]) / 2**48, "price": int.from_bytes(found[6:12]) / 2**48}


def blobs(examples: int = 64, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Images ``X`` (examples, 1, 6, 6) with a bright spot on the left or on the right, and which, ``y``."""
    rng = np.random.default_rng(seed)
    y = np.arange(examples) % CLASSES
    rows, columns = np.mgrid[0:6, 0:6]
    centre = np.where(y == 0, 1.5, 3.5)[:, None, None] + rng.normal(0, 0.3, (examples, 1, 1))
    height = 2.5 + rng.normal(0, 0.5, (examples, 1, 1))
    spots = np.exp(-((columns - centre) ** 2 + (rows - height) ** 2) / 2)
    X = spots + rng.normal(0, 0.1, (examples, 6, 6))
    return X[:, None].astype(np.float32), y.astype(np.int64)


def plane(examples: int = 64, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A table ``X`` (examples, 4) and a linear target ``y`` with a little noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(examples, 4))
    y = X @ np.array([1.0, -2.0, 0.5, 0.0]) + rng.normal(0, 0.1, examples)
    return X.astype(np.float32), y.astype(np.float32)


def _numbers(answers: Any) -> list[float]:
    found: list[float] = []
    for answer in answers:
        if isinstance(answer, tuple):
            found += _numbers(answer)
        elif isinstance(answer, int | float):
            found.append(float(answer))
    return found
