"""Spans of time as people write them: 90, "90s", "10m", "1.5h", "1h30m", "2d"."""

from __future__ import annotations

import math
import re

from netwright.errors import InputError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(ms|s|m|h|d)", re.ASCII)
_PLAIN = re.compile(r"\d+(?:\.\d*)?|\.\d+", re.ASCII)


def parse_duration(value: str | float, *, what: str = "a time limit") -> float:
    """Seconds, above zero and finite; a number alone counts seconds. Raises InputError, naming ``what``."""
    if isinstance(value, bool):
        raise InputError(f"{what} is a number of seconds or a text like 10m, found {value}")
    if isinstance(value, int | float):
        try:
            seconds = float(value)
        except OverflowError:
            seconds = math.inf
    elif isinstance(value, str):
        seconds = _seconds(value.strip().lower(), value, what)
    else:
        raise InputError(f"{what} is a number of seconds or a text like 10m, found {type(value).__name__}")
    if not (seconds > 0 and math.isfinite(seconds)):
        raise InputError(f"{what} is above zero and finite, found {_shown(value)}", hint="Write 60s, 10m or 2h")
    return seconds


def format_duration(seconds: float) -> str:
    """A span of time for reading, in at most two units: 0.4s, 42s, 3m 05s, 2h 10m, 3d 04h."""
    if not math.isfinite(seconds):
        return "?"
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    for size, unit, part, name in ((60, "m", 1, "s"), (3600, "h", 60, "m"), (86400, "d", 3600, "h")):
        if whole < size * (60 if size < 3600 else 24) or unit == "d":
            return f"{whole // size}{unit} {whole % size // part:02d}{name}"
    raise AssertionError


def _seconds(text: str, given: str, what: str) -> float:
    if _PLAIN.fullmatch(text):
        return float(text)
    total, place = 0.0, 0
    while place < len(text):
        part = _PART.match(text, place)
        if part is None:
            raise InputError(
                f"{what} is a number with s, m, h or d, found {_shown(given)}", hint="Write 60s, 10m, 2h or 1.5h"
            )
        total += float(part[1]) * _UNITS[part[2]]
        place = part.end()
        while place < len(text) and text[place] == " ":
            place += 1
    return total if text else math.nan


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
