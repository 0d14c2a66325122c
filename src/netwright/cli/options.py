"""Options that several verbs have, and how their values are read."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated

import typer

from netwright.durations import parse_duration
from netwright.errors import InputError, nearest

Folder = Annotated[str, typer.Argument(metavar="DIR", help="The folder of a search, as search printed it.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No live view.")]
Debug = Annotated[bool, typer.Option("--debug", help="Print the traceback of an error.")]
TimeLimit = Annotated[
    str | None, typer.Option("--time-limit", metavar="TIME", help="60s, 10m, 1.5h; a plain number is seconds.")
]


def _workers(value: int | None) -> int | None:
    from netwright.arguments import as_workers  # NumPy is loaded when it is needed

    return None if value is None else as_workers("--jobs", value)


MaxTrials = Annotated[int | None, typer.Option("--max-trials", metavar="N", min=1, help="Stop after so many trials.")]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        metavar="N",
        callback=_workers,
        help="Worker processes, at most K; -1, and the default: one a core.",
    ),
]


def seconds(text: str | None) -> float | None:
    """The value of ``--time-limit``."""
    return None if text is None else parse_duration(text, what="--time-limit")


def parse_constraints(texts: Iterable[str]) -> dict[str, float]:
    """``params=1e5`` and its like as names and numbers, finite and above zero; raises InputError."""
    constraints: dict[str, float] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        name = name.strip()
        if not sign or not name or not value.strip():
            raise InputError(f"--constraint is METRIC=VALUE, found {text!r}", hint="Write for example params=1e5")
        check_metric(name, "--constraint")
        number = _number(value)
        if number is None or not (math.isfinite(number) and number > 0):
            raise InputError(
                f"--constraint {name} is a number above zero, found {value.strip()!r}",
                hint=f"Write for example {name}=1e5",
            )
        if name in constraints:
            raise InputError(f"--constraint {name} is given twice", hint="Keep the stricter one")
        constraints[name] = number
    return constraints


def check_metric(name: str, option: str) -> None:
    """Raises InputError, with the nearest of what a network costs, for a metric that no trial has."""
    from netwright.costs import NAMES
    from netwright.training.metrics import METRICS

    if name not in METRICS:
        raise InputError(f"{option}: unknown metric {name!r}", hint=sentence(nearest(name, NAMES)))


def sentence(clause: str) -> str:
    """A clause with a capital letter."""
    return clause[:1].upper() + clause[1:]


def _number(text: str) -> float | None:
    """A plain decimal number; words like nan, underscores and digits of other scripts are none."""
    stripped = text.strip()
    if not stripped.isascii() or "_" in stripped:
        return None
    try:
        return float(stripped)
    except ValueError:
        return None
