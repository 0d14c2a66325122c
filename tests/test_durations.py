"""Spans of time as people write them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.durations import format_duration, parse_duration
from netwright.errors import InputError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60s", 60.0),
        ("10m", 600.0),
        ("2h", 7200.0),
        ("1.5h", 5400.0),
        ("1h30m", 5400.0),
        ("1h 30m", 5400.0),
        ("2d", 172800.0),
        ("250ms", 0.25),
        (" 90 ", 90.0),
        ("10 M", 600.0),
        (".5m", 30.0),
        (90, 90.0),
        (0.5, 0.5),
    ],
)
def test_what_is_read(text: Any, seconds: float) -> None:
    """A number with a unit, several of them, or seconds alone."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("value", ["0", "0s", "", " ", 0, -1, float("nan"), float("inf"), 10**400, "9" * 400])
def test_what_is_no_span_of_time(value: Any) -> None:
    """Nothing, nought, less than nought, or more than any clock."""
    with pytest.raises(InputError, match=r"a time limit is above zero and finite, found .* Write 60s, 10m or 2h"):
        parse_duration(value)


@pytest.mark.parametrize("value", ["-5m", "nan", "inf", "1e3", "10x", "m10", "10m!", "1,5h", "٣s", "ten"])
def test_what_cannot_be_read(value: str) -> None:
    """The text is shown, and how to write it."""
    with pytest.raises(InputError, match="a time limit is a number with s, m, h or d, found") as caught:
        parse_duration(value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("value", [True, None, [1]])
def test_other_types(value: Any) -> None:
    """A bool is no number of seconds."""
    with pytest.raises(InputError, match="--time-limit is a number of seconds or a text like 10m, found"):
        parse_duration(value, what="--time-limit")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0s"),
        (9.96, "10s"),
        (59.4, "59s"),
        (59.7, "1m 00s"),
        (185, "3m 05s"),
        (3599.6, "1h 00m"),
        (7815, "2h 10m"),
        (273600, "3d 04h"),
        (-1, "0.0s"),
        (float("inf"), "?"),
    ],
)
def test_what_is_written(seconds: float, text: str) -> None:
    """At most two units."""
    assert format_duration(seconds) == text


@given(st.floats(1, 1e7))
def test_what_is_written_is_read_again(seconds: float) -> None:
    """To within the last unit that is shown."""
    again = parse_duration(format_duration(seconds))
    assert abs(again - seconds) <= (0.06 if seconds < 10 else 1 if seconds < 3600 else 60 if seconds < 86400 else 3600)
