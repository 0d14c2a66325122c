"""Checks of what a constructor was given: each refuses with what was found and what was expected.

``owner`` is whose argument it is, as the message names it; with an empty one the message begins with the argument.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from netwright.errors import InputError, nearest

if TYPE_CHECKING:
    from netwright.trial import Objective


def whole(owner: str, least: int = 1, **values: Any) -> None:
    """Refuses what is no ``int`` of at least ``least``; true and false are none."""
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise _refusal(owner, name, f"a whole number of at least {least}", value)


def as_whole(name: str, value: Any, least: int) -> int:
    """The value as an ``int``; a whole number of NumPy is taken too."""
    number = int(value) if isinstance(value, np.integer) else value
    whole("", least, **{name: number})
    return int(number)


def as_workers(name: str, value: Any) -> int:
    """The number of workers as an ``int``: -1, and None, are as many as the CPUs that this process may use."""
    if value is None or (isinstance(value, int | np.integer) and value == -1):
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name} is a whole number of at least 1, or -1 for all cores, found {value!r}")
    return int(value)


def positive(owner: str, **values: Any) -> None:
    """Refuses what is no finite number above 0."""
    for name, value in values.items():
        if not is_number(value) or value <= 0:
            raise _refusal(owner, name, "a number above 0", value)


def positive_or_none(owner: str, **values: Any) -> None:
    """Refuses what is neither None nor a finite number above 0."""
    for name, value in values.items():
        if value is not None and (not is_number(value) or value <= 0):
            raise _refusal(owner, name, "a number above 0, or none", value)


def not_negative(owner: str, **values: Any) -> None:
    """Refuses what is no finite number of at least 0."""
    for name, value in values.items():
        if not is_number(value) or value < 0:
            raise _refusal(owner, name, "a number of at least 0", value)


def share(owner: str, **values: Any) -> None:
    """Refuses what is no number from 0 to 1, both of them allowed."""
    for name, value in values.items():
        if not is_number(value) or not 0 <= value <= 1:
            raise _refusal(owner, name, "a probability, from 0 to 1", value)


def share_below_one(owner: str, **values: Any) -> None:
    """Refuses what is no number from 0 to below 1: at 1 a moving average never moves, and a warm-up never ends."""
    for name, value in values.items():
        if not is_number(value) or not 0 <= value < 1:
            raise _refusal(owner, name, "a number from 0 to below 1", value)


def one_of_these(owner: str, name: str, value: Any, known: Collection[str]) -> None:
    """Refuses what is none of the known words, and names the nearest."""
    if not isinstance(value, str) or value not in known:
        raise InputError(f"{_begin(owner)}{name} {value!r} is unknown ({nearest(str(value), known)})")


def one_objective(
    owner: str,
    objectives: Sequence[Objective],
    *,
    verb: str = "compares trials by",
    instead: str = "Use the strategy Auto",
) -> Objective:
    """The only objective; several are refused by their names, and ``instead`` says what to do."""
    if len(objectives) != 1:
        raise InputError(
            f"{owner} {verb} one objective, found {len(objectives)}: "
            f"{', '.join(objective.metric for objective in objectives)}",
            hint=f"{instead}, or make all but one of them constraints.",
        )
    return objectives[0]


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether it is a finite ``int`` or ``float``; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _refusal(owner: str, name: str, expected: str, value: Any) -> InputError:
    return InputError(f"{_begin(owner)}{name} is {expected}, found {value!r}")


def _begin(owner: str) -> str:
    return f"{owner}: " if owner else ""
