"""What a task may answer: a JSON value of at most 1 MB, with finite numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from netwright import strict_json
from netwright.errors import InputError
from netwright.metrics import BadResult, describe, unwrap

MAX_RESULT = 2**20
MAX_REPORT = 64 * 2**10


def encode(value: object, *, limit: int = MAX_RESULT, what: str = "the result") -> bytes:
    """``value`` as JSON; raises :class:`BadResult` naming the place that cannot be sent.

    Numpy scalars and arrays or tensors without dimensions become Python numbers, tuples become lists. Its size is
    counted on the way, so that a result of 300 MB is refused before a copy of it is made.
    """
    text = strict_json.dumps(_Copy(limit, what).of(value, "", 0)).encode()
    if len(text) > limit:
        raise _too_large(what, limit)
    return text


def decode(text: bytes) -> Any:
    """The value of what :func:`encode` wrote; raises :class:`BadResult` for anything else."""
    try:
        return strict_json.loads(text, what="the result", max_bytes=2 * MAX_RESULT)
    except InputError as error:
        raise BadResult("bad_result", error.message) from None


class _Copy:
    """A walk over a value that copies it into plain JSON and stops when it has seen too much."""

    def __init__(self, limit: int, what: str) -> None:
        self.limit = limit
        self.what = what
        self.left = limit

    def of(self, value: object, place: str, depth: int) -> Any:
        self.pay(1)
        value = unwrap(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            # At least 3 bits a digit; Python refuses to print more than 4,300 of them.
            if value.bit_length() > 3 * strict_json.MAX_DIGITS:
                raise BadResult("bad_result", f"{self.name(place)} is an integer of {value.bit_length():,} bits")
            return int(value)
        if isinstance(value, float):
            if not math.isfinite(value):
                raise BadResult("non_finite", f"{self.name(place)} is {float(value)}")
            return float(value)
        if isinstance(value, str):
            return self.text(value, place)
        if depth >= strict_json.MAX_DEPTH:
            raise BadResult("bad_result", f"{self.what} is nested deeper than {strict_json.MAX_DEPTH} levels")
        if isinstance(value, Mapping):
            return {
                self.key(key, place): self.of(item, f"{place}.{key}" if place else str(key), depth + 1)
                for key, item in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self.of(item, f"{place}[{index}]", depth + 1) for index, item in enumerate(value)]
        raise BadResult("bad_result", f"{self.name(place)} is {describe(value)}, which JSON cannot hold")

    def key(self, key: object, place: str) -> str:
        if not isinstance(key, str):
            raise BadResult("bad_result", f"{self.name(place)} has {describe(key)} as a key, JSON wants strings")
        return self.text(key, place)

    def text(self, text: str, place: str) -> str:
        self.pay(len(text))
        try:
            text.encode()
        except UnicodeEncodeError:
            message = f"{self.name(place)} holds a lone surrogate, which no UTF-8 text can"
            raise BadResult("bad_result", message) from None
        return str(text)

    def name(self, place: str) -> str:
        return ascii(place)[1:-1][:200] if place else self.what

    def pay(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise _too_large(self.what, self.limit)


def _too_large(what: str, limit: int) -> BadResult:
    return BadResult("bad_result", f"{what} is larger than {limit:,} bytes; write large things to a file and name it")
