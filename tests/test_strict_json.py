"""What Python's JSON reader lets through, or stumbles over, is refused in one line."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright import strict_json
from netwright.errors import InputError

JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.text(),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "the file is nested deeper than 64 levels"),
        ("[" * 100_000 + "]" * 100_000, "the file is nested deeper than 64 levels"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "the file is nested deeper than 64 levels"),
        ("[" * 65 + "]" * 65, "the file is nested deeper than 64 levels"),
        ('["[", ' + "[" * 65, "the file is nested deeper than 64 levels"),
        ("9" * 5000, "the file holds a number of 5,000 digits, at most 400 are read"),
        ("[-" + "9" * 5000 + "]", "the file holds a number of 5,001 digits"),
        ("NaN", "the file holds NaN, which is not a JSON number"),
        ("[Infinity]", "the file holds Infinity"),
        ('{"a": -Infinity}', "the file holds -Infinity"),
        ("1e999", "the file holds 1e999, which no float can hold"),
        ("[-1e999]", "the file holds -1e999"),
        ("1" + "0" * 4000 + ".0", "which no float can hold"),
        ('{"a": 1, "a": 2}', "the file has the key 'a' twice"),
        ('[{"b": {"x": 1, "y": 2, "x": 1}}]', "the file has the key 'x' twice"),
        ('{"a": 1, "\\u0061": 2}', "the file has the key 'a' twice"),
        ('"\\ud800"', "the file holds a lone surrogate"),
        ('{"\\uDFFF": 1}', "the file holds a lone surrogate"),
        ('"\ud800"', "the file holds a lone surrogate"),
        (b'"\xff"', "the file is not UTF-8 at byte 1"),
        (b'"\xed\xa0\x80"', "the file is not UTF-8 at byte 1"),
        ("\ufeff{}", "the file is not JSON"),
        ("", "the file is not JSON: Expecting value at line 1, column 1"),
        ("{", "the file is not JSON"),
        ("[1,]", "the file is not JSON"),
        ("[1]\n]", "the file is not JSON: Extra data at line 2, column 1"),
        ("{'a': 1}", "the file is not JSON"),
        ('"unfinished [[[[', "the file is not JSON"),
        ('"\\', "the file is not JSON"),
        ("]" * 100_000 + "[" * 10, "the file is not JSON"),
        ("\0", "the file is not JSON"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else str(value),
)
def test_what_is_not_strict_is_refused_in_one_line(text: str | bytes, message: str) -> None:
    """The line names the thing and what is wrong with it."""
    with pytest.raises(InputError, match=message) as caught:
        strict_json.loads(text, what="the file")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= 200


@pytest.mark.parametrize(
    "text", [b"[" + b"1," * 50 * 2**20 + b"1]", "é" * (9 * 2**20)], ids=["100 MB", "two bytes each"]
)
def test_what_is_too_long_is_refused_unread(text: str | bytes) -> None:
    """By its length alone, in bytes."""
    with pytest.raises(InputError, match=r"JSON is [\d,]+ bytes long, at most 16,777,216 are read"):
        strict_json.loads(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[" * 64 + "]" * 64, 64),
        ('{"a": "' + "[" * 1000 + '"}', None),
        ('["\\"[[[[", "\\\\", "]]"]', None),
        ('"\\ud83d\\ude00"', "😀"),
        (b'{"caf\xc3\xa9": [1, 2.5, true, null]}', {"café": [1, 2.5, True, None]}),
        ("1" * 400, int("1" * 400)),
        ("-0.0", -0.0),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_strict_is_read(text: str | bytes, value: object) -> None:
    """Brackets in strings are no depth, pairs of surrogates are characters, 64 levels are read."""
    found = strict_json.loads(text)
    if value == 64:
        assert "[" * 64 + "]" * 64 == json.dumps(found)
    elif value is None:
        assert json.loads(text) == found
    else:
        assert value == found


@given(JSON)
def test_what_is_written_is_read_back(value: object) -> None:
    """Also as bytes; 1, 1.0 and true stay apart."""
    text = strict_json.dumps(value)
    assert repr(value) == repr(strict_json.loads(text))
    assert repr(value) == repr(strict_json.loads(text.encode()))


@given(st.text(alphabet='[]{}"\\,:1ae \n') | st.binary())
def test_anything_else_is_an_input_error(text: str | bytes) -> None:
    """No text and no bytes raise anything but InputError, and what is read equals what Python reads."""
    try:
        value = strict_json.loads(text)
    except InputError:
        return
    assert json.loads(text) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, [-math.inf], {"a": math.nan}])
def test_what_is_not_finite_is_not_written(value: object) -> None:
    """``json.dumps`` would write NaN."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        strict_json.dumps(value)


def test_canonical_text_is_sorted_and_without_spaces() -> None:
    """Equal values have equal texts, in their own letters."""
    assert '{"a":"é","b":[1,2]}' == strict_json.dumps({"b": [1, 2], "a": "é"}, sort=True)
    assert '{\n  "b": 1\n}' == strict_json.dumps({"b": 1}, indent=2)
