"""The conformance suite of search spaces."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from netwright.architecture import Architecture
from netwright.space import SearchSpace

WRITTEN_OUT = 2_000


def check_space(
    space: SearchSpace, example: torch.Tensor | Mapping[str, Any] | None = None, *, samples: int = 30, seed: int = 0
) -> None:
    """Tries a space on what every other part relies on; AssertionError says what broke.

    Every sample is valid, survives JSON, is encoded in as many finite numbers as there are columns, builds a network of
    torch's and the user's modules alone, twice the same, and runs on ``example`` (a batch, or keyword arguments; made
    from the argument ``input_shape`` if not given, and without either nothing is run). A mutation changes exactly one
    of the decisions that both architectures answer, a neighbour too; a crossover is valid. The same generator draws the
    same. A space of up to 2,000 architectures is written out: as many as its size, all different, every sample among
    them.
    """
    example = _example(space) if example is None else example
    rng = np.random.default_rng(seed)
    drawn = [space.sample(rng) for _ in range(samples)]
    again = np.random.default_rng(seed)
    _expect(space, drawn == [space.sample(again) for _ in range(samples)], "the same generator drew other samples")
    for architecture in drawn:
        _check_value(space, architecture)
        _check_network(space, architecture, example)
    if space.size > 1:
        _check_moves(space, drawn, rng)
    if space.size.exact and space.size <= WRITTEN_OUT:
        _check_enumeration(space, drawn)


def _check_value(space: SearchSpace, architecture: Architecture) -> None:
    _expect(space, architecture in space, f"a sample is not in the space: {architecture}")
    _expect(space, space.validate(architecture) == architecture, f"validation changed a sample: {architecture}")
    _expect(
        space,
        space.validate(Architecture.from_json(architecture.to_json())) == architecture,
        f"JSON and back gives another architecture: {architecture}",
    )
    encoding = space.encode(architecture)
    _expect(
        space,
        encoding.shape == (len(space.columns),) and bool(np.isfinite(encoding).all()),
        f"the encoding of [{architecture}] is not {len(space.columns)} finite numbers, one a column",
    )
    completed = space.complete(architecture, np.random.default_rng(0))
    _expect(space, completed == architecture, f"completing a complete architecture changed it: {architecture}")


def _check_network(space: SearchSpace, architecture: Architecture, example: Any) -> None:
    torch_before = torch.get_rng_state()
    networks = []
    for _ in range(2):
        torch.manual_seed(0)
        networks.append(space.build(architecture))
    torch.set_rng_state(torch_before)
    first, second = (network.state_dict() for network in networks)
    _expect(
        space,
        first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first),
        f"the same seed built other weights for [{architecture}]",
    )
    for name, module in networks[0].named_modules():
        owner = type(module).__module__
        ours = owner.startswith("netwright.") and not owner.startswith(("netwright.testing.", "netwright.zoo."))
        _expect(space, not ours, f"the built network holds a module of the library at '{name}': {type(module)}")
    if example is None:
        return
    network = networks[0].eval()
    try:
        with torch.no_grad():
            network(**example) if isinstance(example, Mapping) else network(example)
    except Exception as error:
        raise AssertionError(
            f"space {space.name}: the network of [{architecture}] does not run: {type(error).__name__}: {error}"
        ) from error


def _check_moves(space: SearchSpace, drawn: list[Architecture], rng: np.random.Generator) -> None:
    for architecture, other in zip(drawn, [*drawn[1:], drawn[0]], strict=True):
        mutant = space.mutate(architecture, rng)
        _expect(space, mutant in space, f"a mutation left the space: {mutant}")
        _check_step(space, "a mutation", architecture, mutant)
        for neighbour, _ in zip(space.neighbours(architecture, rng), range(5), strict=False):
            _expect(space, neighbour in space, f"a neighbour is not in the space: {neighbour}")
            _check_step(space, "a neighbour", architecture, neighbour)
        child = space.crossover(architecture, other, rng)
        _expect(space, child in space, f"a crossover left the space: {child}")


def _check_step(space: SearchSpace, what: str, before: Architecture, after: Architecture) -> None:
    changed = [name for name in before if name in after and _differ(before[name], after[name])]
    _expect(
        space,
        len(changed) == 1,
        f"{what} changes exactly one decision, found {len(changed)} ({', '.join(changed)}): "
        f"[{before}] became [{after}]",
    )


def _check_enumeration(space: SearchSpace, drawn: list[Architecture]) -> None:
    every = list(space.enumerate())
    _expect(
        space,
        len(every) == int(space.size) == len(set(every)),
        f"its size is {space.size}, written out it has {len(every)} architectures, {len(set(every))} of them different",
    )
    missing = set(drawn) - set(every)
    _expect(space, not missing, f"{len(missing)} of the samples are not among all its architectures")


def _example(space: SearchSpace) -> torch.Tensor | None:
    shape = space.arguments.get("input_shape")
    if shape is None:
        default = inspect.signature(space.network).parameters.get("input_shape")
        shape = None if default is None or default.default is inspect.Parameter.empty else default.default
    return None if shape is None else torch.linspace(-1, 1, 2 * int(np.prod(shape))).reshape(2, *shape)


def _differ(a: Any, b: Any) -> bool:
    return Architecture({"a": a}) != Architecture({"a": b})


def _expect(space: SearchSpace, held: bool, sentence: str) -> None:
    if not held:
        raise AssertionError(f"space {space.name}: {sentence}")
