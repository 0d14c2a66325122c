"""The gate for metrics."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest
import torch

from netwright.metrics import BadResult, check_metrics


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1.0),
        (0.5, 0.5),
        (np.float32(0.5), 0.5),
        (np.float64(0.25), 0.25),
        (np.longdouble(0.5), 0.5),
        (np.int64(3), 3.0),
        (np.array(2.5), 2.5),
        (torch.tensor(0.5), 0.5),
        (torch.tensor(0.5, dtype=torch.bfloat16), 0.5),
        (torch.nn.Parameter(torch.tensor(1.5)), 1.5),
    ],
    ids=repr,
)
def test_numbers_become_python_floats(value: object, expected: float) -> None:
    """Numpy scalars and things without dimensions are converted, so that no database stores a blob."""
    result = check_metrics({"score": value})
    assert {"score": expected} == result
    assert float is type(result["score"])


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (True, "a bool"),
        (np.True_, "a bool"),
        ("0.5", "a str"),
        (None, "None"),
        (1 + 2j, "a complex"),
        (np.complex64(1), "a complex"),
        ([0.0] * 10**6, "a list of 1,000,000"),
        (np.zeros(1), r"a ndarray of shape \(1,\)"),
        (torch.zeros(2, 3), r"a Tensor of shape \(2, 3\)"),
        (torch.zeros((), device="meta"), r"a Tensor of shape \(\)"),
        (Decimal("0.5"), "a Decimal"),
        (object(), "an object"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_number_is_refused(value: object, found: str) -> None:
    """Everything else is refused, with the metric's name and what was found."""
    with pytest.raises(BadResult, match=f"^score must be a number, found {found}$") as caught:
        check_metrics({"loss": 1.0, "score": value})
    assert caught.value.kind == "bad_result"


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, 1e400, np.float32("nan"), torch.tensor(math.inf), 10**400],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_finite_is_its_own_kind(value: object) -> None:
    """NaN, infinities and what no float can hold are refused as non_finite."""
    with pytest.raises(BadResult, match=r"^score is ") as caught:
        check_metrics({"score": value})
    assert caught.value.kind == "non_finite"


@pytest.mark.parametrize("value", [None, 0.5, "x", [("a", 1.0)], np.zeros(2), {}], ids=repr)
def test_what_is_no_mapping_is_refused(value: object) -> None:
    """Metrics are a mapping with at least one name."""
    with pytest.raises(BadResult, match=r"^a mapping from names to numbers was expected, found "):
        check_metrics(value)


@pytest.mark.parametrize("name", ["", "x" * 201, 3, None, "a\nb", "a\x1b[2J", "\ud800"], ids=ascii)
def test_names_are_short_printable_strings(name: object) -> None:
    """A name that could break a table or a terminal is refused."""
    with pytest.raises(BadResult, match=r"^a metric's name "):
        check_metrics({name: 1.0})


def test_metrics_are_counted() -> None:
    """A thousand are kept, one more is refused."""
    assert len(check_metrics({f"m{index}": index for index in range(1_000)})) == 1_000
    with pytest.raises(BadResult, match=r"^1,001 metrics were found, at most 1,000 are kept$"):
        check_metrics({f"m{index}": index for index in range(1_001)})
