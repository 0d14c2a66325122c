"""Columns of a table that are neither numbers nor few categories: dates, texts, and numbers that are written otherwise.

A date becomes numbers: the days since 1970-01-01 (with their fraction), the year, the month (1 to 12), the day of the
week (0 is Monday) and the hour. A text becomes a small bag of words: each word, in small letters, counts in the column
that its CRC-32 names, and the counts of a row are divided by the root of their sum. Both need nothing but numpy, so
that an exported folder does the same.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

PARTS = ("days", "year", "month", "weekday", "hour")
"""What a date becomes."""
WORDS = 32
"""How many columns a text becomes."""

_DATE = re.compile(r"(\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?)?)(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2})?", re.ASCII)
OTHER_DAY = r"(?:\d{1,2}([./-])\d{1,2}\1(?:\d{2}|\d{4})|\d{4}([./-])\d{1,2}\2\d{1,2})(?:[ T].*)?"
"""The day of a year as somebody may write it, ISO 8601 or otherwise: 2021-01-19, 19.01.2021, 1/19/21 14:00."""
UNKNOWN = "?"
"""What stands for a missing number in many a data set."""
MOSTLY = 0.8
"""A column is said to look like numbers or dates where so many of its values do."""

_DAY = re.compile(OTHER_DAY, re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:(?!0\d)\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_COMMA = re.compile(r"[+-]?(?!0\d)\d*,\d+", re.ASCII)
_THOUSAND = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
_CODE = re.compile(r"0\d+", re.ASCII)
_AMOUNT = re.compile(
    r"[$€£]?\s?[+-]?(?:(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d+)?|(?:\d+|\d{1,3}(?:\.\d{3})+),\d+)\s?[%$€£]?", re.ASCII
)
"""A number as people write it: 3, 1,234.5, 1.234,5, $12, 4 %."""
_WORD = re.compile(r"\w+")


def part_name(name: str, part: str) -> str:
    """The name of the column of numbers that a part of a date becomes."""
    return f"{name} ({part})"


def dates(column: Sequence[Any] | np.ndarray) -> dict[str, np.ndarray] | None:
    """The parts of a column of dates as ISO 8601 writes them, NaN where missing; None where it holds anything else.

    Times count as the clock shows them: a time zone is passed over.
    """
    texts = [None if value is None else str(value) for value in column]
    if not any(texts):
        return None
    clocks: list[str] = []
    for text in texts:
        match = None if text is None else _DATE.fullmatch(text)
        if match is None and text is not None:
            return None
        clocks.append("NaT" if match is None else match[1].replace(" ", "T"))
    try:
        moments = np.array(clocks, dtype="datetime64[s]")
    except ValueError:
        return None
    holes = np.isnat(moments)
    moments = np.where(holes, np.datetime64(0, "s"), moments)
    seconds = moments.astype(np.int64)
    months = moments.astype("datetime64[M]").astype(np.int64)
    parts = {
        "days": seconds / 86400,
        "year": 1970.0 + months // 12,
        "month": 1.0 + months % 12,
        # The first of January 1970 was a Thursday.
        "weekday": (seconds // 86400 + 3) % 7.0,
        "hour": seconds % 86400 / 3600,
    }
    return {name: np.where(holes, np.nan, values) for name, values in parts.items()}


def are_days(values: Sequence[Any] | np.ndarray) -> bool:
    """Whether all of these, none of them missing, are days of a year, in whatever way they are written."""
    return len(values) > 0 and all(_DAY.fullmatch(str(value).strip()) is not None for value in values)


@dataclass(frozen=True)
class Written:
    """Numbers that stood as texts, NaN where missing: whether with decimal commas, and in how many rows as ``?``."""

    values: np.ndarray = field(repr=False)
    comma: bool
    unknown: int


def written_numbers(column: Sequence[str | None] | np.ndarray) -> Written | None:
    """A column whose numbers have decimal commas, or are ``?`` where missing; None where it holds anything else.

    Whole thousands alone, as 1,234, may be either and are none; nor are codes that begin with 0.
    """
    texts = [None if value is None else value.strip() for value in column]
    seen = {text for text in texts if text is not None} - {UNKNOWN}
    commas = {text for text in seen if _COMMA.fullmatch(text)}
    unknown = texts.count(UNKNOWN)
    if not seen or not (commas or unknown) or not all(text in commas or _NUMBER.fullmatch(text) for text in seen):
        return None
    if commas and (all(map(_THOUSAND.fullmatch, commas)) or any("." in text for text in seen)):
        return None
    values = [np.nan if text is None else number(text, comma=bool(commas)) for text in texts]
    return Written(np.array(values), bool(commas), unknown)


def number(text: str, *, comma: bool = False) -> float:
    """A number that is written as a text, NaN for ``?``; ValueError for what is none."""
    text = text.strip()
    if text == UNKNOWN:
        return float("nan")
    return float(text.replace(",", ".") if comma and _COMMA.fullmatch(text) else text)


def looks_like(values: Sequence[str]) -> tuple[str, str, int] | None:
    """``("dates", value, count)`` or ``("numbers", …)`` for texts, none of them missing, that mostly look like these.

    The value is the first of those that are why they are not read as such, and the count how many there are. None for
    codes that begin with 0, and for others.
    """
    for what, pattern, usual in (("dates", _DAY, _DATE), ("numbers", _AMOUNT, _NUMBER)):
        counts = Counter(map(str.strip, values))
        like = sum(count for text, count in counts.items() if pattern.fullmatch(text))
        if not like or like < MOSTLY * len(values) or (what == "numbers" and any(map(_CODE.fullmatch, counts))):
            continue
        odd = [text for text in counts if not usual.fullmatch(text)] or list(counts)
        return what, odd[0], sum(counts[text] for text in odd)
    return None


def is_text(values: Sequence[Any]) -> bool:
    """Whether these values, none of them missing, are texts: mostly distinct, and of two words or more on average."""
    if not len(values) or 2 * len(set(values)) <= len(values):
        return False
    return sum(len(_WORD.findall(str(value))) for value in values) >= 2 * len(values)


def bag_of_words(column: Sequence[Any] | np.ndarray, buckets: int) -> np.ndarray:
    """Texts as (N, buckets), float32; a missing one is zeros."""
    bags = np.zeros((len(column), buckets), dtype=np.float32)
    for row, text in enumerate(column):
        words = [] if text is None else _WORD.findall(str(text).lower())
        for word in words:
            bags[row, zlib.crc32(word.encode(errors="replace")) % buckets] += 1 / len(words) ** 0.5
    return bags
