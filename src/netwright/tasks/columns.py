"""Columns of a table that are neither numbers nor few categories: dates, and texts.

A date becomes numbers: the days since 1970-01-01 (with their fraction), the year, the month (1 to 12), the day of the
week (0 is Monday) and the hour. A text becomes a small bag of words: each word, in small letters, counts in the column
that its CRC-32 names, and the counts of a row are divided by the root of their sum. Both need nothing but numpy, so
that an exported folder does the same.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

PARTS = ("days", "year", "month", "weekday", "hour")
"""What a date becomes."""
WORDS = 32
"""How many columns a text becomes."""

_DATE = re.compile(r"(\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?)?)(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2})?", re.ASCII)
OTHER_DAY = r"(?:\d{1,2}([./-])\d{1,2}\1(?:\d{2}|\d{4})|\d{4}([./-])\d{1,2}\2\d{1,2})(?:[ T].*)?"
"""The day of a year as somebody may write it, ISO 8601 or otherwise: 2021-01-19, 19.01.2021, 1/19/21 14:00."""
_DAY = re.compile(OTHER_DAY, re.ASCII)
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
