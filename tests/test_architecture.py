"""An architecture: frozen, hashable, and the same after a way through JSON."""

from __future__ import annotations

import copy
import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.architecture import Architecture
from netwright.errors import ArchitectureError, InputError

ANSWERS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.tuples(inner, inner) | st.tuples(inner),
    max_leaves=5,
)
ARCHITECTURES = st.dictionaries(st.text(min_size=1), ANSWERS, max_size=5).map(Architecture)


@given(ARCHITECTURES)
def test_json_and_back_is_the_same(architecture: Architecture) -> None:
    """Equal, with the same hash, key and text; tuples stay tuples."""
    back = Architecture.from_json(architecture.to_json())
    assert architecture == back
    assert (hash(architecture), architecture.key, architecture.to_json()) == (hash(back), back.key, back.to_json())
    assert dict(sorted(architecture.items())) == dict(back)


@given(ARCHITECTURES, ARCHITECTURES)
def test_equality_is_that_of_the_canonical_texts(one: Architecture, other: Architecture) -> None:
    """And whatever is equal has one hash."""
    assert (one.to_json() == other.to_json()) == (one == other)
    if one == other:
        assert hash(one) == hash(other)


def test_the_order_of_the_answers_does_not_matter() -> None:
    """Names are sorted in the text; the mapping keeps its own order."""
    one, other = Architecture({"b": 1, "a": 2}), Architecture({"a": 2, "b": 1})
    assert one == other
    assert '{"a":2,"b":1}' == one.to_json()
    assert ["b", "a"] == list(one)


def test_numbers_of_different_kinds_differ() -> None:
    """1, 1.0 and True are three answers."""
    assert 3 == len({Architecture({"x": value}) for value in (1, 1.0, True)})


def test_zeros_of_different_signs_differ() -> None:
    """As their texts do, also within a tuple; a list is told from a tuple by neither."""
    assert Architecture({"x": 0.0}) != Architecture({"x": -0.0})
    assert Architecture({"x": (0.0, 1)}) != Architecture({"x": (-0.0, 1)})
    assert Architecture({"x": (0.0, 1)}) == Architecture({"x": (0.0, 1)})
    listed, tupled = Architecture({"x": [1, 2]}), Architecture({"x": (1, 2)})
    assert listed == tupled
    assert hash(listed) == hash(tupled)


def test_it_is_a_mapping() -> None:
    """It can be asked like a dict, and compared with nothing but its own kind."""
    architecture = Architecture({"width": 16, "op": "conv3"})
    assert (16, 2, True, False) == (
        architecture["width"], len(architecture), "op" in architecture, "depth" in architecture,
    )  # fmt: skip
    assert None is architecture.get("depth")
    assert architecture != {"width": 16, "op": "conv3"}
    with pytest.raises(KeyError):
        architecture["depth"]


def test_it_cannot_be_changed() -> None:
    """Neither an answer nor an attribute; nor through the mapping that it was made of."""
    answers = {"width": 16}
    architecture = Architecture(answers)
    answers["width"] = 32
    assert 16 == architecture["width"]
    with pytest.raises(TypeError):
        architecture["width"] = 32  # type: ignore[index]
    with pytest.raises(AttributeError):
        architecture.width = 32  # type: ignore[attr-defined]


def test_replacing_gives_another_one() -> None:
    """The first stays as it was."""
    one = Architecture({"width": 16})
    assert Architecture({"width": 32, "depth": 2}) == one.replace(width=32, depth=2)
    assert Architecture({"width": 16}) == one


def test_copies_are_equal() -> None:
    """Also deep ones, as processes make them."""
    one = Architecture({"width": 16, "edges": (0, (1, 2))})
    assert one == copy.copy(one) == copy.deepcopy(one)


def test_the_key_is_the_same_in_every_process() -> None:
    """It names files, so it does not depend on Python's own hash."""
    architecture = Architecture({"width": 16})
    script = "from netwright.architecture import Architecture as A; print(A({'width': 16}).key)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "cc411e9169c0634a" == architecture.key == done.stdout.strip()


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("[]", ArchitectureError, "an architecture is an object of decisions and their answers, found list"),
        ('{"": 1}', ArchitectureError, "the name of a decision is a non-empty string, found ''"),
        ('{"x": {"a": 1}}', ArchitectureError, "decision 'x': an answer is .*, found dict"),
        ('{"x": [1, {"a": 1}]}', ArchitectureError, "decision 'x': an answer is .*, found dict"),
        ('{"x": NaN}', InputError, "the architecture holds NaN"),
        ('{"x": 1e999}', InputError, "the architecture holds 1e999"),
        ('{"x": 1, "x": 2}', InputError, "the architecture has the key 'x' twice"),
        ("{", InputError, "the architecture is not JSON"),
        ('{"x": ' + "[" * 1000 + "]" * 1000 + "}", InputError, "the architecture is nested deeper"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_other_texts_are_refused(text: str, error: type[Exception], message: str) -> None:
    """With the decision's name where there is one."""
    with pytest.raises(error, match=message):
        Architecture.from_json(text)


@pytest.mark.parametrize("value", [math.nan, math.inf, object(), {1}, 1j, b"x"], ids=lambda value: type(value).__name__)
def test_other_answers_are_refused(value: object) -> None:
    """What JSON cannot say is no answer."""
    with pytest.raises(ArchitectureError, match="decision 'x'"):
        Architecture.from_value({"x": value})


def test_it_prints_in_a_line() -> None:
    """Names and answers, floats in four digits."""
    assert "lr=0.001235 edges=(0,1) skip=None" == str(Architecture({"lr": 0.00123456, "edges": (0, 1), "skip": None}))
    assert "Architecture(width=16)" == repr(Architecture({"width": 16}))
