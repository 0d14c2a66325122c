"""The space of a search: one of the zoo by its name, a network in a file, or an object."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np

from netwright import zoo
from netwright.errors import (
    ArchitectureError,
    InfeasibleError,
    InputError,
    NetwrightError,
    SpaceError,
    nearest,
    sentence,
)
from netwright.space import SearchSpace, arguments_for
from netwright.tasks.kinds import KINDS
from netwright.tasks.preprocessing import facts
from netwright.zoo.categories import aware
from netwright.zoo.portfolio import starts_of


@dataclass(frozen=True)
class Found:
    """A space, how to find it again (``origin``, JSON), known-good answers to start from, and its portfolio."""

    space: SearchSpace
    origin: Mapping[str, Any]
    starts: tuple[Mapping[str, Any], ...] = field(default=())
    portfolio: tuple[Mapping[str, Any], ...] = field(default=())


def find_space(
    name: Any,
    *,
    kind: str,
    input_shape: tuple[int, ...],
    outputs: int,
    facts: Mapping[str, Any] = MappingProxyType({}),
) -> Found:
    """The space that ``name`` means for such data.

    ``name`` is None (the default of the kind), a name of :data:`netwright.zoo.SPACES`, ``FILE.py:Network``, a network
    written in the words, or a SearchSpace. Networks are made with those of ``input_shape``, ``classes``, ``outputs``
    and the ``facts`` about the data (a text has a ``vocabulary``) that their signature names. One that does not name
    ``codes`` gets columns of zeros and ones instead of them.
    """
    given = {**facts, "input_shape": tuple(input_shape), "classes": outputs, "outputs": outputs}
    if isinstance(name, SearchSpace):
        return Found(name, {"object": name.name})
    if callable(name):
        return Found(_space(name, given), {"object": getattr(name, "__name__", type(name).__name__)})
    if name is None:
        name = KINDS[kind].space
    if not isinstance(name, str):
        raise InputError(f"a space is a name, FILE.py:Network, a network or a SearchSpace, found {name!r}")
    if ".py" in name:
        return _from_file(name, given)
    if name not in zoo.SPACES:
        raise InputError(f"unknown space '{name}'", hint=sentence(nearest(name, zoo.SPACES)))
    entry = zoo.SPACES[name]
    if entry.kind != kind:
        known = ", ".join(each for each, other in zoo.SPACES.items() if other.kind == kind)
        raise InputError(
            f"the space '{name}' is for {entry.kind}, the data are {kind}", hint=f"Spaces for {kind}: {known}"
        )
    space = entry.space(**arguments_for(entry.network, **{**entry.compact, **given}))
    names = {decision.name for decision in space.decisions}
    # A start may speak of decisions that only larger inputs have.
    starts = tuple({name: answer for name, answer in start.items() if name in names} for start in entry.starts)
    # What was chosen by hand comes before the portfolio: a search of a few trials should at least have tried it,
    # and what was found costs more time a trial.
    found = tuple(answers for start in starts_of(name) if (answers := fitting(start, space)))
    return Found(space, {"name": name}, starts, tuple(start for start in found if start not in starts))


def fitting(start: Mapping[str, Any], space: SearchSpace) -> dict[str, Any]:
    """Those answers of a start, made for other data or a former version of the space, that this space has.

    None where they exclude each other, or where less than half is left: that one is of another space by now.
    """
    answers = space.answers_of(start)
    if 2 * len(answers) < len(start) or not possible(answers, space):
        return {}
    return answers


def possible(answers: Mapping[str, Any], space: SearchSpace) -> bool:
    """Whether some architecture of the space has these answers, and there are any."""
    try:
        space.unrestricted.complete(answers, np.random.default_rng(0))
    except (ArchitectureError, InfeasibleError):
        return False
    return bool(answers)


def like(about: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of :func:`find_space` and :func:`find_again` for the data of a study or a package."""
    return {
        "kind": about["kind"],
        "input_shape": tuple(about["input_shape"]),
        "outputs": about["outputs"],
        "facts": facts(about["preprocessing"]),
    }


def find_again(
    origin: Mapping[str, Any],
    *,
    kind: str,
    input_shape: tuple[int, ...],
    outputs: int,
    facts: Mapping[str, Any] = MappingProxyType({}),
) -> Found:
    """The space of a study that goes on; InputError where it cannot be found or is another by now."""
    if "object" in origin:
        raise InputError(
            f"the space '{origin['object']}' was given as an object, and only its own script has it",
            hint="Run the script again: with the same folder it goes on",
        )
    name = origin.get("name") or origin["file"]
    found = find_space(name, kind=kind, input_shape=input_shape, outputs=outputs, facts=facts)
    if found.origin.get("sha256") != origin.get("sha256"):
        raise InputError(
            f"{origin['file'].rpartition(':')[0]} has changed since the study was made",
            hint="Bring back the old file, or start a new search",
        )
    return found


def _from_file(text: str, given: Mapping[str, Any]) -> Found:
    file, _, attribute = text.rpartition(":")
    if not file.endswith(".py"):
        file, attribute = text, ""
    path = Path(file)
    if not attribute:
        raise InputError(f"--space {text} names no network", hint=f"Add its name: {file}:Net")
    if not path.is_file():
        raise InputError(f"no such file: {path}", hint="--space takes FILE.py:Network, or a name of: netwright spaces")
    module = _load(path)
    if not hasattr(module, attribute):
        known = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise InputError(f"{path} has no '{attribute}'", hint=sentence(nearest(attribute, known)))
    network = getattr(module, attribute)
    origin = {"file": f"{path.resolve()}:{attribute}", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    if isinstance(network, SearchSpace):
        return Found(network, origin)
    if not callable(network):
        raise InputError(f"{attribute} in {path} is a {type(network).__name__}, not a network or a SearchSpace")
    starts = getattr(network, "starts", ())
    try:
        space = _space(network, given)
    except SpaceError as error:
        line = _line(path, error.__cause__ or error)
        if line is None or f"{path.name}:{line}" in error.message:
            raise
        raise SpaceError(f"{path}, line {line}: {error.message}", hint=error.hint) from error
    return Found(space, origin, tuple(starts))


def _load(path: Path) -> ModuleType:
    """Runs a user's file as a module of its own name; what it raises is told with the line, not as a traceback."""
    file = path.resolve()
    name = f"netwright_space_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"
    specification = importlib.util.spec_from_file_location(name, file)
    if specification is None or specification.loader is None:
        raise InputError(f"{path} cannot be loaded as Python")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    try:
        specification.loader.exec_module(module)
    except NetwrightError as error:
        raise SpaceError(f"{_place(path, error)}: {error.message}", hint=error.hint) from error
    except (Exception, SystemExit) as error:
        text = " ".join(str(error).split())[:120]
        raise SpaceError(f"{_place(path, error)}: {type(error).__name__}: {text}") from error
    return module


def _place(path: Path, error: BaseException) -> str:
    line = _line(path, error)
    return f"{path}" if line is None else f"{path}, line {line}"


def _line(path: Path, error: BaseException) -> int | None:
    """The last line of the user's file that ``error`` came through, None where it did not."""
    file = path.resolve()
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).resolve() == file:
        return error.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == file]
    return lines[-1] if lines else None


def _space(network: Any, given: Mapping[str, Any]) -> SearchSpace:
    network = aware(network, given)
    return SearchSpace(network, **arguments_for(network, **given))
