"""Size: how many architectures a space has, and how that is known."""

from __future__ import annotations

import math
from typing import Any


class Size:
    """A number of architectures that behaves like an int (like a float where it is infinite).

    ``exact`` says whether it was counted rather than estimated, and ``how`` says in a sentence how.
    """

    __slots__ = ("exact", "how", "value")

    def __init__(self, value: int | float, *, exact: bool, how: str) -> None:
        self.value = value
        self.exact = exact
        self.how = how

    def __int__(self) -> int:
        return int(self.value)

    def __index__(self) -> int:
        return int(self.value)

    def __float__(self) -> float:
        try:
            return float(self.value)
        except OverflowError:
            return math.inf

    def __bool__(self) -> bool:
        return self.value != 0

    def __hash__(self) -> int:
        return hash(self.value)

    def __eq__(self, other: object) -> bool:
        return bool(self.value == _plain(other))

    def __lt__(self, other: Any) -> bool:
        return bool(self.value < _plain(other))

    def __le__(self, other: Any) -> bool:
        return bool(self.value <= _plain(other))

    def __gt__(self, other: Any) -> bool:
        return bool(self.value > _plain(other))

    def __ge__(self, other: Any) -> bool:
        return bool(self.value >= _plain(other))

    def __str__(self) -> str:
        if isinstance(self.value, float):
            return "infinite"
        return ("" if self.exact else "about ") + _readable(self.value, 15 if self.exact else 6)

    def __repr__(self) -> str:
        return f"Size({self}: {self.how})"


def _plain(other: Any) -> Any:
    return other.value if isinstance(other, Size) else other


def _readable(number: int, digits: int) -> str:
    """With commas up to ``digits`` digits; beyond, three significant ones and the power of ten."""
    text = str(number)
    if len(text) <= digits:
        return f"{number:,}"
    power = len(text) - 1
    lead = round(number / 10 ** (power - 2))
    return f"{lead / 100:.2f}e+{power}" if lead < 1000 else f"1.00e+{power + 1}"
