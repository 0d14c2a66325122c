"""Events on their way into a store: checked, made plain, and split into what each table holds.

One gate for all stores. SQLite's driver writes a ``np.float32`` as a BLOB and NaN as NULL without a word; here every
metric becomes a finite Python float or is refused, and a body becomes canonical JSON or is refused.
"""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from netwright import strict_json
from netwright.errors import InputError
from netwright.stores.base import Event
from netwright.trial import State

FINAL = frozenset(str(state) for state in State if state is not State.RUNNING)

_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the trials' table: where a trial stands. ``epoch`` is the opening under which it was claimed last."""

    number: int
    attempt: int
    state: str
    architecture: Any
    budget: Any
    inherits: int | None
    seed: int | None
    metrics: Mapping[str, float]
    seconds: float | None
    error: Any
    epoch: int


@dataclass(frozen=True, slots=True)
class Claim:
    """What a ``claimed`` event writes; ``architecture`` and ``budget`` are JSON."""

    number: int
    attempt: int
    architecture: str
    budget: str
    inherits: int | None
    seed: int | None


@dataclass(frozen=True, slots=True)
class Ending:
    """What an ``ended`` event writes; ``text`` is the JSON of ``metrics``."""

    number: int
    attempt: int
    state: str
    metrics: dict[str, float]
    text: str
    seconds: float
    error: str | None


@dataclass(frozen=True, slots=True)
class Record:
    """An event ready to be written: ``text`` is the canonical JSON of its body."""

    kind: str
    text: str
    claim: Claim | None = None
    ending: Ending | None = None


def record(event: Event) -> Record:
    """The record of an event; raises InputError, naming the field, for what no store may hold."""
    kind, body = event.kind, event.body
    if kind == "claimed":
        return Record(kind, canonical(body, kind), claim=claim(body))
    if kind == "ended":
        metrics = body.get("metrics") or {}
        if not isinstance(metrics, Mapping):
            raise InputError(f"metrics are names and numbers, found {type(metrics).__name__}")
        body = {
            **body,
            "metrics": {str(name): finite(value, f"metric '{name}'") for name, value in metrics.items()},
            "seconds": finite(body.get("seconds") or 0.0, "'seconds'"),
        }
        return Record(kind, canonical(body, kind), ending=ending(body))
    if not isinstance(kind, str) or not kind:
        raise InputError(f"the kind of an event is a non-empty string, found {kind!r}")
    return Record(kind, canonical(body, kind))


def claim(body: Mapping[str, Any]) -> Claim:
    """The columns of a ``claimed`` body."""
    return Claim(
        number=_whole(body.get("number"), "number", 0),
        attempt=_whole(body.get("attempt"), "attempt", 1),
        architecture=canonical(body.get("architecture"), "claimed"),
        budget=canonical(body.get("budget"), "claimed"),
        inherits=None if body.get("inherits") is None else _whole(body["inherits"], "inherits", 0),
        seed=None if body.get("seed") is None else _whole(body["seed"], "seed", -_LARGEST - 1),
    )


def ending(body: Mapping[str, Any]) -> Ending:
    """The columns of an ``ended`` body whose metrics and seconds are finite floats already."""
    state = str(body.get("state"))
    if state not in FINAL:
        raise InputError(f"the state of an ended trial is one of {', '.join(sorted(FINAL))}, found {state!r}")
    error = body.get("error")
    return Ending(
        number=_whole(body.get("number"), "number", 0),
        attempt=_whole(body.get("attempt"), "attempt", 1),
        state=state,
        metrics=body["metrics"],
        text=canonical(body["metrics"], "ended"),
        seconds=finite(body["seconds"], "'seconds'"),
        error=None if error is None else canonical(error, "ended"),
    )


def finite(value: Any, name: str) -> float:
    """``value`` as a finite Python float: numbers, NumPy's scalars, tensors of no dimension; else InputError."""
    number = value
    if type(number) is not float:
        plain = value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value
        if isinstance(plain, bool) or not isinstance(plain, numbers.Real):
            raise InputError(f"{name} is a {type(value).__name__}, a finite number was expected")
        try:
            number = float(plain)
        except OverflowError:
            raise InputError(f"{name} is larger than any float, a finite number was expected") from None
    if not math.isfinite(number):
        raise InputError(f"{name} is {number}, a finite number was expected")
    return float(number)


def canonical(value: Any, kind: str) -> str:
    """``value`` as canonical JSON (sorted names, no spaces, UTF-8); raises InputError for what JSON cannot say."""
    try:
        try:
            text = strict_json.dumps(value, sort=True)
        except TypeError:
            text = strict_json.dumps(_plain(value, kind), sort=True)
        if not text.isascii():
            text.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(f"event '{kind}' holds a lone surrogate, which no UTF-8 text can") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"event '{kind}' cannot be written as JSON: {str(error)[:80]}") from None
    return text


def row(values: tuple[Any, ...]) -> Row:
    """A row of the trials' table with its JSON columns read."""
    number, attempt, state, architecture, budget, inherits, seed, metrics, seconds, error, epoch = values
    return Row(
        number=number,
        attempt=attempt,
        state=state,
        architecture=json.loads(architecture),
        budget=json.loads(budget),
        inherits=inherits,
        seed=seed,
        metrics={} if metrics is None else json.loads(metrics),
        seconds=seconds,
        error=None if error is None else json.loads(error),
        epoch=epoch,
    )


def _plain(value: Any, kind: str) -> Any:
    """The same with mappings, sequences and NumPy's scalars as plain ones."""
    if value is None or isinstance(value, bool | str | int | float):
        return value
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise InputError(f"event '{kind}' has the name {name!r}, names are strings")
        return {name: _plain(item, kind) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, kind) for item in value]
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        return value.item()
    raise InputError(f"event '{kind}' holds a {type(value).__name__}, which JSON cannot say")


def _whole(value: Any, name: str, least: int) -> int:
    if type(value) is not int:
        if isinstance(value, bool) or not isinstance(value, numbers.Integral):
            raise InputError(f"'{name}' is a whole number, found {type(value).__name__}")
        value = int(value)
    if not least <= value <= _LARGEST:
        raise InputError(f"'{name}' is a whole number from {least} to {_LARGEST}, found {value}")
    return int(value)
