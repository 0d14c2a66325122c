"""A supernet tried before its training: does every option run, and is its answer of the shape that the goal needs?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from netwright.architecture import Answer, Architecture
from netwright.errors import NetwrightError, SpaceError
from netwright.space import Decision, SearchSpace
from netwright.space.traceless import generators_kept
from netwright.training.goals import read_goal

if TYPE_CHECKING:
    from netwright.supernet.supernet import Supernet
    from netwright.training.data import Data

EXAMPLES = 2
OPTIONS = 8
"""Of sizes and connections so many values are tried, the first and the last among them; of candidates all."""
MOST = 64
"""And so many networks in all."""


def fault(supernet: Supernet, data: Data, rows: Any) -> SpaceError | None:
    """What is wrong with some option of the supernet's space, by the decision and the option; None where nothing is.

    A few networks that have every option once run on two of ``rows``. The supernet is not trained by it, but buffers
    that a network fills as it runs may change: hand in a copy. What the supernet itself cannot do is a SpaceError that
    is raised.
    """
    inputs = torch.from_numpy(np.array(data.X[rows[:EXAMPLES]], dtype=np.float32))
    with supernet.evaluating():
        return _fault(supernet, data, inputs, _needed(data, len(inputs)))


def covering(space: SearchSpace) -> Iterator[Architecture]:
    """Few architectures that have every option of every decision at least once, where the rules of the space let them.

    Of decisions that change no network none are wanted.
    """
    rng = np.random.default_rng(0)
    wanted = {decision.name: _options(decision) for decision in space.decisions if not decision.of_training}
    governing = _governing(space)
    for _ in range(MOST):
        name = next((name for name, options in wanted.items() if options), None)
        if name is None:
            return
        option = wanted[name].pop(0)
        architecture = _completed(space, {name: option}, rng)
        if architecture is None:
            continue
        # All that asks for nothing else takes an option that was not there yet.
        fresh = {
            other: wanted[other][0]
            for other in architecture
            if other != name and other not in governing and wanted.get(other)
        }
        architecture = _completed(space, {**architecture, **fresh}, rng) or architecture
        for other, answer in architecture.items():
            if answer in wanted.get(other, ()):
                wanted[other].remove(answer)
        yield architecture


def _fault(supernet: Supernet, data: Data, inputs: torch.Tensor, needed: tuple[int, ...]) -> SpaceError | None:
    space = supernet.space
    problems = {each: _problem(supernet, each, inputs, data, needed) for each in covering(space)}
    bad = [each for each, problem in problems.items() if problem is not None]
    if not bad:
        return None
    # The fewer decisions, the easier it is told which is to blame.
    architecture = min(bad, key=len)
    if len(bad) < len(problems):
        governing = _governing(space)
        for name in sorted(architecture, key=lambda name: name in governing):
            if any(
                _problem(supernet, other, inputs, data, needed) is None for other in _others(space, architecture, name)
            ):
                return SpaceError(
                    f"{space.name}: decision '{name}' cannot be {architecture[name]!r}: {problems[architecture]}",
                    hint="All candidates of a decision must take and give tensors of the same shapes",
                )
    subject = space.name if len(bad) == len(problems) else f"{space.name} as {str(architecture)[:200]}"
    return SpaceError(f"{subject} cannot be trained: {problems[architecture]}", hint="Look at what its forward gives")


def _options(decision: Decision) -> list[Answer]:
    if decision.options is None:
        return [answer for answer in (decision.low, decision.high) if answer is not None]
    options = list(decision.options)
    return options if decision.kind == "one_of" or len(options) <= OPTIONS else [*options[: OPTIONS - 1], options[-1]]


def _completed(space: SearchSpace, partial: Mapping[str, Answer], rng: np.random.Generator) -> Architecture | None:
    try:
        return space.complete(partial, rng)
    except NetwrightError:
        return None  # the rules of the space refuse it


def _governing(space: SearchSpace) -> set[str]:
    """The decisions on which it hangs whether others are asked."""
    return {name for decision in space.decisions for path in decision.conditions for name, _ in path}


def _others(space: SearchSpace, architecture: Architecture, name: str) -> Iterator[Architecture]:
    """The architecture with other answers of one decision; where that asks for others, they are drawn."""
    rng = np.random.default_rng(0)
    governing, decision = _governing(space), space.declared[name]
    kept = {other: value for other, value in architecture.items() if name not in governing or other in governing}
    for option in _options(decision):
        if option != architecture[name] and (other := _completed(space, {**kept, name: option}, rng)) is not None:
            yield other


def _needed(data: Data, rows: int) -> tuple[int, ...]:
    """The shape of the outputs for so many inputs."""
    return (rows, *data.y.shape[1:], data.outputs) if data.task == "tokens" else (rows, data.outputs)


def _problem(
    supernet: Supernet, architecture: Architecture, inputs: torch.Tensor, data: Data, needed: tuple[int, ...]
) -> str | None:
    """Why a network cannot learn; None where it can."""
    try:
        with torch.no_grad(), generators_kept(inputs.device), supernet.path(architecture) as network:
            outputs = network(inputs)
    except SpaceError:
        raise
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    if not isinstance(outputs, torch.Tensor):
        return f"the network gives a {type(outputs).__name__}, and the goal needs a tensor"
    found = tuple(outputs.shape)
    numbers = read_goal(data.task).standardised or data.task == "forecast"
    # What is compared with numbers may have them in any shape.
    fits = found == needed or (numbers and found[:1] == needed[:1] and math.prod(found) == math.prod(needed))
    if fits:
        return None
    return f"the network gives {_shape(found)} for {_shape(tuple(inputs.shape))}, and the goal needs {_shape(needed)}"


def _shape(sizes: tuple[int, ...]) -> str:
    return "×".join(map(str, sizes)) or "one number"
