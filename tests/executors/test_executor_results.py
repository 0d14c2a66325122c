"""What a task may answer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from netwright.executors.results import decode, encode
from netwright.metrics import BadResult

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(plain)
def test_json_values_come_back(value: Any) -> None:
    """What JSON can hold comes back equal."""
    assert value == decode(encode(value))


def test_numbers_of_numpy_and_torch_are_converted() -> None:
    """Scalars become Python numbers, wherever they stand; tuples become lists."""
    value = {"a": np.float32(0.5), "b": [np.int64(3), torch.tensor(1.5)], "c": (np.True_,)}
    assert decode(encode(value)) == {"a": 0.5, "b": [3, 1.5], "c": [True]}


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        ({"val_accuracy": math.nan}, "non_finite", "^val_accuracy is nan$"),
        ({"curve": [{"loss": -math.inf}]}, "non_finite", r"^curve\[0\]\.loss is -inf$"),
        (1e400, "non_finite", "^the result is inf$"),
        (object(), "bad_result", "^the result is an object, which JSON cannot hold$"),
        ({"f": lambda: None}, "bad_result", "^f is a function, which JSON cannot hold$"),
        ({"z": 1j}, "bad_result", "^z is a complex, which JSON cannot hold$"),
        ({"t": torch.zeros(3)}, "bad_result", r"^t is a Tensor of shape \(3,\), which JSON cannot hold$"),
        ({"b": b"x"}, "bad_result", "^b is a bytes, which JSON cannot hold$"),
        ({1: 2}, "bad_result", "^the result has an int as a key, JSON wants strings$"),
        ({"s": "\ud800"}, "bad_result", "^s holds a lone surrogate"),
        ({"\ud800": 1}, "bad_result", "holds a lone surrogate"),
        ({"i": 10**5000}, "bad_result", "^i is an integer of 16,610 bits$"),
        ("x" * 2**20, "bad_result", "^the result is larger than 1,048,576 bytes"),
        ([0.1] * 10**6, "bad_result", "^the result is larger than 1,048,576 bytes"),
        (["é" * 2**19], "bad_result", "^the result is larger than 1,048,576 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 60 else None,
)
def test_the_rest_is_refused_by_name(value: object, kind: str, message: str) -> None:
    """What JSON cannot hold is refused with the place where it stands."""
    with pytest.raises(BadResult, match=message) as caught:
        encode(value)
    assert kind == caught.value.kind


def test_a_value_inside_itself_is_refused() -> None:
    """A cycle ends at the depth limit."""
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(BadResult, match=r"^the result is nested deeper than 64 levels$"):
        encode(cycle)


@pytest.mark.parametrize("text", [b"NaN", b'{"a":1,"a":2}', b"1e999", b"\xff", b"[" * 10**5], ids=ascii)
def test_what_is_not_strict_json_is_no_result(text: bytes) -> None:
    """The driver reads strictly, whatever a worker managed to send."""
    with pytest.raises(BadResult, match=r"^the result "):
        decode(text)
