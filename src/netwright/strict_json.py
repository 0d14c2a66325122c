"""JSON as it should be: what Python's reader lets through is refused.

Python accepts ``NaN``, ``1e999`` (as infinity), duplicate keys (the last wins) and lone surrogates; a hundred
thousand brackets end in a RecursionError and a number of five thousand digits in a ValueError about something else.
Here each of them is one :class:`~netwright.errors.InputError` with one line.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from netwright.errors import InputError

MAX_BYTES = 16 * 2**20
MAX_DEPTH = 64
MAX_DIGITS = 400

_NO_BRACKETS = re.compile(r'(?:"(?:[^"\\]++|\\.)*+"?|[^"\[\]{}]++)++', re.DOTALL)
"""Strings (an unfinished one reaches to the end) and all else but brackets; possessive, so that it never goes back."""

_LONE = "{} holds a lone surrogate, which no UTF-8 text can"
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def loads(text: str | bytes, *, what: str = "JSON", max_bytes: int = MAX_BYTES) -> Any:
    """The value of ``text``; raises :class:`InputError`, naming ``what``, for anything that is not strict JSON."""
    if len(text) > max_bytes:
        raise InputError(f"{what} is {len(text):,} bytes long, at most {max_bytes:,} are read")
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        elif not text.isascii() and (size := len(text.encode("utf-8"))) > max_bytes:
            raise InputError(f"{what} is {size:,} bytes long, at most {max_bytes:,} are read")
    except UnicodeDecodeError as error:
        raise InputError(f"{what} is not UTF-8 at byte {error.start}") from None
    except UnicodeEncodeError:
        raise InputError(_LONE.format(what)) from None
    _check_depth(text, what)
    try:
        value = json.loads(
            text,
            parse_constant=_constant(what),
            parse_int=_integer(what),
            parse_float=_float(what),
            object_pairs_hook=_pairs(what),
        )
    except json.JSONDecodeError as error:
        raise InputError(f"{what} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    if _SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise InputError(_LONE.format(what)) from None
    return value


def dumps(value: Any, *, indent: int | None = None, sort: bool = False) -> str:
    """``value`` as JSON; NaN and infinities raise ValueError."""
    separators = (",", ":") if indent is None else None
    return json.dumps(value, allow_nan=False, ensure_ascii=False, indent=indent, sort_keys=sort, separators=separators)


def _check_depth(text: str, what: str) -> None:
    """Before the parser, which recurses. Only brackets are walked through: 16 MB must stay quick."""
    depth = 0
    for bracket in _NO_BRACKETS.sub("", text):
        if bracket in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise InputError(f"{what} is nested deeper than {MAX_DEPTH} levels")
        else:
            depth -= 1


def _constant(what: str) -> Any:
    def refuse(name: str) -> None:
        raise InputError(f"{what} holds {name}, which is not a JSON number")

    return refuse


def _integer(what: str) -> Any:
    def read(digits: str) -> int:
        if len(digits) > MAX_DIGITS:
            raise InputError(f"{what} holds a number of {len(digits):,} digits, at most {MAX_DIGITS} are read")
        return int(digits)

    return read


def _float(what: str) -> Any:
    def read(digits: str) -> float:
        value = float(digits)
        if not math.isfinite(value):
            raise InputError(f"{what} holds {digits[:30]}, which no float can hold")
        return value

    return read


def _pairs(what: str) -> Any:
    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in pairs:
            if key in result:
                raise InputError(f"{what} has the key {key[:60]!r} twice")
            result[key] = value
        return result

    return build
