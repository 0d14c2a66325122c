"""In what two spaces differ, for people."""

from __future__ import annotations

import pytest

from netwright.space.describing import difference


def rows(*decisions):
    return [{"name": name, "values": values, "asked": asked} for name, values, asked in decisions]


BEFORE = rows(("op", "conv, pool", "always"), ("width", "8, 16", "always"), ("kernel", "3, 5", "op is conv"))


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (BEFORE, ""),
        (BEFORE[:1], "only there: width, kernel"),
        ([*BEFORE, *rows(("depth", "1, 2", "always"))], "only here: depth"),
        ([*BEFORE[:2], *rows(("kernel", "3, 5, 7", "op is conv"))], "kernel: 3, 5, here 3, 5, 7"),
        ([*BEFORE[:2], *rows(("kernel", "3, 5", "always"))], "kernel: asked op is conv, here always"),
        ([], "only there: op, width, kernel"),
    ],
)
def test_what_is_other_is_named(now, expected):
    """Decisions that one of them has, options that differ, and who asks for them."""
    assert difference(BEFORE, now) == expected


def test_a_few_of_many_are_named():
    """Three, and how many more."""
    many = rows(*((f"op{place}", "a, b", "always") for place in range(9)))
    others = rows(*((f"op{place}", "a, c", "always") for place in range(9)))
    assert difference(many, []) == "only there: op0, op1, op2 and 6 more"
    told = ["op0: a, b, here a, c", "op1: a, b, here a, c", "op2: a, b, here a, c", "and 6 more"]
    assert difference(many, others) == "; ".join(told)
