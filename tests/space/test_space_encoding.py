"""The numeric encoding, JSON, size of the row."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from space_networks import PROGRAMS, demo, program, words_only

import netwright as nw
from netwright.errors import SpaceError

relaxed = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@relaxed
@given(PROGRAMS)
def test_the_encoding_is_injective_and_of_fixed_length(statements):
    """Different architectures have different rows, of the columns' length and within [0, 1]."""
    try:
        space = nw.SearchSpace(program(statements))
    except SpaceError as error:
        assume("circle" not in str(error))
        raise
    assume(space.size <= 1_000)
    rows = np.array([space.encode(architecture) for architecture in space.enumerate()])
    assert rows.shape == (int(space.size), len(space.columns))
    assert len(np.unique(rows, axis=0)) == len(rows)
    assert rows.min() >= 0
    assert rows.max() <= 1


def test_columns_and_values_of_each_kind():
    """One-hot if unordered, scaled for numbers, indicators for inputs, a mark if conditional, 0 if inactive."""

    def declare():
        nw.choose("width", 16, 64, 32)
        nw.choose("act", "relu", "gelu")
        nw.choose("lr", low=0.01, high=1.0, log=True)
        nw.inputs("in", 3, pick=2)
        nw.repeat("n", lambda i: words_only(lambda: nw.choose(f"k{i}", 3, "3"))(), 0, 1)

    space = nw.SearchSpace(words_only(declare))
    expected = ("width", "act=relu", "act=gelu", "lr", "in[0]", "in[1]", "in[2]", "n", "k0?", "k0=3", 'k0="3"')
    assert expected == space.columns
    answers = {"width": 32, "act": "gelu", "lr": 0.1, "in": (0, 2), "n": 1, "k0": "3"}
    assert np.allclose([1 / 3, 0, 1, 0.5, 1, 0, 1, 1, 1, 0, 1], space.encode(answers))
    shallow = {"width": 16, "act": "relu", "lr": 1.0, "in": (1, 2), "n": 0}
    assert np.allclose([0, 1, 0, 1, 0, 1, 1, 0, 0, 0, 0], space.encode(shallow))


def test_json_both_ways():
    """What is written is read back and validates as the same architecture, ranges and tuples included."""

    def declare():
        nw.choose("lr", low=1e-5, high=1.0, log=True)
        nw.choose("kernel", (3, 3), (5, 1))
        nw.choose("float", 16.0, 32.0)
        nw.inputs("in", 3)

    space = nw.SearchSpace(words_only(declare))
    rng = np.random.default_rng(0)
    for _ in range(50):
        architecture = space.sample(rng)
        assert architecture == space.validate(nw.Architecture.from_json(architecture.to_json()))


def test_the_encoding_of_a_fixed_space_keeps_its_columns_constant():
    """A fixed decision still has its column."""
    space = demo().fix(width=32)
    rng = np.random.default_rng(0)
    column = space.columns.index("width")
    assert 1 == len({space.encode(space.sample(rng))[column] for _ in range(10)})
