"""How a network is trained again by the ``train.py`` beside its source."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from netwright.space.traceless import generators_kept, seed_generators

SCRIPT = Path(__file__).parent / "standalone" / "train.py"
LIKE = 0.25
"""Deviations that differ by at most this part are the same way to begin, drawn twice."""


@dataclass(frozen=True)
class Training:
    """The recipe as JSON, and the mean and deviation of fresh parameters that the source makes otherwise."""

    recipe: Mapping[str, Any]
    initial: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def initial_values(fresh: Callable[[], nn.Module], source: Callable[[], nn.Module]) -> dict[str, tuple[float, float]]:
    """Mean and deviation of the parameters that a ``fresh`` network of the search begins with and the source does not.

    The source makes the layers of torch as torch does, and parameters that belong to no such layer as zeros. What a
    space drew for them, or put into layers in place of torch's values, is known by its first two moments.
    """
    with generators_kept(seed=0):
        wanted = dict(fresh().named_parameters())
        seed_generators(0)
        given = dict(source().named_parameters())
    found: dict[str, tuple[float, float]] = {}
    for name, value in wanted.items():
        if name not in given or given[name].shape != value.shape or not value.is_floating_point():
            continue
        (mean, deviation), (other, spread) = _moments(value), _moments(given[name])
        scale = max(deviation, spread, abs(mean), abs(other), 1e-12)
        if (
            abs(deviation - spread) > LIKE * scale
            or abs(mean - other) > LIKE * scale + 4 * scale / value.numel() ** 0.5
        ):
            found[name] = (mean, deviation)
    return found


def train_script(training: Training) -> str:
    """The text of ``train.py``, the recipe and the first values written into it."""
    text = SCRIPT.read_text(encoding="utf-8")
    for name, kind, value in (
        ("RECIPE", "dict[str, Any]", dict(training.recipe)),
        ("INITIAL", "dict[str, tuple[float, float]]", dict(training.initial)),
    ):
        empty = f"{name}: {kind} = {{}}\n"
        assert empty in text
        entries = "".join(f"{key!r}: {entry!r},\n" for key, entry in value.items())
        body = f"{{\n{textwrap.indent(entries, '    ')}}}" if entries else "{}"
        text = text.replace(empty, f"{name}: {kind} = {body}\n".replace("'", '"'))
    return text


def _moments(value: torch.Tensor) -> tuple[float, float]:
    flat = value.detach().double()
    return float(f"{flat.mean():.6g}"), float(f"{flat.std(correction=0):.6g}")
