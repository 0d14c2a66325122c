"""Mutation, crossover, neighbours."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from space_networks import PROGRAMS, brute_force, demo, program, words_only
from torch import nn

import netwright as nw
from netwright.errors import ArchitectureError, SpaceError

relaxed = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
SEEDS = st.integers(0, 2**32 - 1)


def space_of(statements):
    try:
        return nw.SearchSpace(program(statements))
    except SpaceError as error:
        assume("circle" not in str(error))
        raise


def roots_of_change(space, before, after):
    """The decisions, asked in both, whose answers differ."""
    return [name for name in before if name in after and before[name] != after[name]]


@relaxed
@given(PROGRAMS, SEEDS)
def test_a_mutation_changes_exactly_one_active_decision(statements, seed):
    """The child is in the space, and of the decisions that both ask, one alone differs."""
    space = space_of(statements)
    rng = np.random.default_rng(seed)
    for _ in range(5):
        parent = space.sample(rng)
        child = space.mutate(parent, rng)
        assert child in space
        assert 1 == len(roots_of_change(space, parent, child))


@relaxed
@given(PROGRAMS, SEEDS)
def test_a_child_of_two_has_nothing_from_elsewhere(statements, seed):
    """Each answer of a crossover is one of its parents', wherever one of them has it; the child is in the space."""
    space = space_of(statements)
    rng = np.random.default_rng(seed)
    a, b = space.sample(rng), space.sample(rng)
    child = space.crossover(a, b, rng)
    assert child in space
    for name, answer in child.items():
        inherited = [parent[name] for parent in (a, b) if name in parent]
        assert not inherited or answer in inherited


@relaxed
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_neighbours_are_those_that_differ_in_one_answer(counts):
    """Where nothing is conditional, they are those at Hamming distance one, so the relation is symmetric."""
    space = nw.SearchSpace(words_only(lambda: [nw.choose(f"c{i}", *range(n)) for i, n in enumerate(counts)]))
    everything = [nw.Architecture(answers) for answers in brute_force(space.network)]
    for a in everything:
        expected = {b for b in everything if sum(a[name] != b[name] for name in a) == 1}
        found = list(space.neighbours(a))
        assert expected == set(found)
        assert len(found) == len(expected)


def test_mutation_draws_decisions_and_values_uniformly():
    """Of 3 widths and 10 kernels, each decision changes half of the time, each other value equally often."""
    space = nw.SearchSpace(words_only(lambda: (nw.choose("w", 1, 2, 3), nw.choose("k", *range(10)))))
    rng = np.random.default_rng(0)
    parent = nw.Architecture({"w": 2, "k": 4})
    children = [space.mutate(parent, rng) for _ in range(9_000)]
    widths = Counter(child["w"] for child in children)
    kernels = Counter(child["k"] for child in children)
    assert 0.45 < widths[2] / 9_000 < 0.55
    assert 0.8 < widths[1] / widths[3] < 1.25
    assert kernels[4] == 9_000 - widths[2]
    assert max(kernels[k] for k in range(10) if k != 4) < 1.4 * min(kernels[k] for k in range(10) if k != 4)


def test_a_decision_of_one_value_is_never_chosen_for_mutation():
    """A fixed decision stays; the other one changes every time."""
    space = demo().fix(depth=2, op0="skip", op1="skip")
    rng = np.random.default_rng(0)
    parent = space.sample(rng)
    assert all(space.mutate(parent, rng)["width"] != parent["width"] for _ in range(20))


def test_a_single_architecture_cannot_be_mutated():
    """The error says why."""
    space = nw.SearchSpace(words_only(lambda: nw.choose("w", low=3, high=3)))
    with pytest.raises(SpaceError, match="no decision of this architecture has another value"):
        space.mutate(nw.Architecture({"w": 3}), np.random.default_rng(0))


def test_a_range_is_redrawn_within_its_bounds():
    """Continuous values change and stay inside."""
    space = nw.SearchSpace(words_only(lambda: nw.choose("lr", low=0.001, high=1.0, log=True)))
    rng = np.random.default_rng(0)
    parent = nw.Architecture({"lr": 0.1})
    values = [space.mutate(parent, rng)["lr"] for _ in range(2_000)]
    assert 0.1 not in values
    assert all(0.001 <= value <= 1 for value in values)
    assert 0.6 < np.mean(np.array(values) < 0.1) < 0.73


def test_one_pick_of_inputs_changes():
    """Two of four inputs: a mutation exchanges one of the picks, and so do the neighbours."""
    space = nw.SearchSpace(words_only(lambda: nw.inputs("in", 4, pick=2)))
    rng = np.random.default_rng(0)
    parent = nw.Architecture({"in": (0, 1)})
    expected = {(0, 2), (0, 3), (1, 2), (1, 3)}
    assert expected == {space.mutate(parent, rng)["in"] for _ in range(100)}
    assert expected == {child["in"] for child in space.neighbours(parent)}


def test_neighbours_of_a_range_are_a_tenth_away():
    """Below and above, in the logarithm where log; beyond the ends there are none."""

    def declare():
        nw.choose("plain", low=0.0, high=10.0)
        nw.choose("log", low=1.0, high=1024.0, log=True)
        nw.choose("whole", low=0, high=99)

    space = nw.SearchSpace(words_only(declare))
    centre = nw.Architecture({"plain": 5.0, "log": 32.0, "whole": 95})
    found = [next((n, c[n]) for n in c if c[n] != centre[n]) for c in space.neighbours(centre)]
    assert ["plain", "plain", "log", "log", "whole"] == [name for name, _ in found]
    assert [4.0, 6.0, 16.0, 64.0, 85] == pytest.approx([value for _, value in found])


def test_neighbours_take_first_values_or_draw():
    """What becomes active is first without a generator and drawn with one."""
    space = demo()
    parent = nw.Architecture({"width": 16, "depth": 2, "op0": "skip", "op1": "skip"})
    deep = [child for child in space.neighbours(parent) if child["depth"] == 6]
    assert ["conv3"] * 4 == [deep[0][f"op{index}"] for index in range(2, 6)]
    rng = np.random.default_rng(0)
    drawn = {child["op2"] for _ in range(30) for child in space.neighbours(parent, rng) if "op2" in child}
    assert {"conv3", "conv5", "skip"} == drawn


def test_mutation_keeps_to_the_rules():
    """`where` and limits hold for children; where no draw finds one, the neighbours are gone through."""
    rng = np.random.default_rng(0)
    space = nw.SearchSpace(
        words_only(lambda: [nw.choose(f"c{i}", *range(50)) for i in range(60)]),
        where=lambda a: sum(a.values()) in (0, 49),
    )
    parent = nw.Architecture({f"c{i}": 0 for i in range(60)})
    for _ in range(3):
        assert 49 == sum(space.mutate(parent, rng).values())


def test_an_architecture_without_valid_neighbour_says_so():
    """The rule leaves two architectures that differ in two answers."""
    space = nw.SearchSpace(
        words_only(lambda: (nw.choose("a", 0, 1), nw.choose("b", 0, 1))), where=lambda a: a["a"] == a["b"]
    )
    with pytest.raises(SpaceError, match="no valid neighbour"):
        space.mutate(nw.Architecture({"a": 0, "b": 0}), np.random.default_rng(0))


def test_crossover_keeps_to_the_rules():
    """The child is valid; where only the parents are, one of them comes back."""
    rng = np.random.default_rng(0)
    network = words_only(lambda: (nw.choose("a", 0, 1), nw.choose("b", 0, 1)))
    first, second = nw.Architecture({"a": 0, "b": 0}), nw.Architecture({"a": 1, "b": 1})
    some = nw.SearchSpace(network, where=lambda a: (a["a"], a["b"]) != (0, 1))
    assert {"00", "10", "11"} == {f"{c['a']}{c['b']}" for c in (some.crossover(first, second, rng) for _ in range(99))}
    none = nw.SearchSpace(network, where=lambda a: a["a"] == a["b"])
    assert {first, second} == {none.crossover(first, second, rng) for _ in range(50)}


@relaxed
@given(PROGRAMS, SEEDS)
def test_a_perturbed_architecture_is_in_the_space(statements, seed):
    """At any rate; at rate 0 nothing changes, at rate 1 every decision that both ask and that has another value."""
    space = space_of(statements)
    rng = np.random.default_rng(seed)
    parent = space.sample(rng)
    assert parent == space.perturb(parent, rng, 0.0)
    assert space.perturb(parent, rng, 0.4) in space
    child = space.perturb(parent, rng, 1.0)
    assert child in space
    free = {decision.name for decision in space.decisions if decision.cardinality > 1}
    assert set(roots_of_change(space, parent, child)) == free & parent.keys() & child.keys()


def test_perturbation_changes_each_decision_independently():
    """The number of changes is binomial, and every decision changes as often as any other."""
    space = nw.SearchSpace(words_only(lambda: [nw.choose(f"c{i}", *range(4)) for i in range(10)]))
    rng = np.random.default_rng(0)
    parent = space.sample(rng)
    changes = [roots_of_change(space, parent, space.perturb(parent, rng, 0.1)) for _ in range(5_000)]
    counts = np.bincount([len(changed) for changed in changes], minlength=4)
    assert [0.3487, 0.3874, 0.1937, 0.0574] == pytest.approx(counts[:4] / 5_000, abs=0.025)
    each = Counter(name for changed in changes for name in changed)
    assert all(0.08 < each[f"c{i}"] / 5_000 < 0.12 for i in range(10))


def test_perturbation_keeps_to_the_rules():
    """The child is valid; where nothing else is, the architecture itself comes back."""
    rng = np.random.default_rng(0)
    network = words_only(lambda: (nw.choose("a", 0, 1), nw.choose("b", 0, 1)))
    parent = nw.Architecture({"a": 0, "b": 0})
    some = nw.SearchSpace(network, where=lambda a: a["a"] == a["b"])
    assert {"00", "11"} == {f"{c['a']}{c['b']}" for c in (some.perturb(parent, rng, 0.5) for _ in range(50))}
    alone = nw.SearchSpace(network, where=lambda a: a["a"] + a["b"] == 0)
    assert parent == alone.perturb(parent, rng, 1.0)


def test_coarsening_leaves_so_many_values_of_a_range():
    """Evenly spaced from end to end, in the logarithm where log, always values of the range; the rest as it was."""

    def declare():
        nw.choose("plain", low=0.0, high=10.0)
        nw.choose("log", low=0.001, high=1.0, log=True)
        nw.choose("whole", low=1, high=100)
        nw.choose("powers", low=1, high=1_000_000, log=True)
        nw.choose("stepped", low=0.0, high=1.0, step=0.1)
        nw.choose("short", low=1, high=3)
        nw.choose("options", *range(9))

    space = nw.SearchSpace(words_only(declare))
    coarse = space.coarsen(4)
    found = {decision.name: decision.options for decision in coarse.decisions}
    assert found == {
        "plain": pytest.approx((0.0, 10 / 3, 20 / 3, 10.0)),
        "log": pytest.approx((0.001, 0.01, 0.1, 1.0)),
        "whole": (1, 34, 67, 100),
        "powers": (1, 100, 10_000, 1_000_000),
        "stepped": (0.0, 0.3, 0.7, 1.0),
        "short": (1, 2, 3),
        "options": tuple(range(9)),
    }
    assert coarse.size == 4**5 * 3 * 9
    rng = np.random.default_rng(0)
    assert all(coarse.sample(rng) in space for _ in range(50))
    middle = {decision.name: decision.options for decision in space.coarsen(1).decisions}
    assert middle["plain"] == (5.0,)
    assert middle["log"] == pytest.approx((10**-1.5,))
    assert middle["short"] == (2,)


def test_coarsening_keeps_conditions_and_rules():
    """A range that is asked of one option alone stays so, and `where` and limits hold on."""

    def declare():
        nw.one_of("kind", ranged=words_only(lambda: nw.choose("x", low=0.0, high=1.0)), plain=nn.Identity)

    space = nw.SearchSpace(words_only(declare), where=lambda a: a.get("x", 1.0) > 0.3)
    found = [dict(a) for a in space.coarsen(3).restrict(lambda a: a.get("x") != 1.0).enumerate()]
    assert [{"kind": "ranged", "x": 0.5}, {"kind": "plain"}] == found
    with pytest.raises(SpaceError, match="a whole number of points, at least 1, found 0"):
        space.coarsen(0)


def test_what_neither_parent_was_asked_is_drawn():
    """A child may meet a decision that neither parent has."""

    def declare():
        inner = words_only(lambda: nw.choose("x", 1, 2))
        middle = words_only(lambda: nw.one_of("a", p=inner, q=nn.Identity))
        nw.one_of("r", one=middle, two=words_only(lambda: nw.one_of("b", u=middle, v=nn.Identity)), none=nn.Identity)

    space = nw.SearchSpace(words_only(declare))
    first = nw.Architecture({"r": "one", "a": "q"})
    second = nw.Architecture({"r": "two", "b": "u", "a": "p", "x": 2})
    rng = np.random.default_rng(0)
    children = {space.crossover(first, second, rng) for _ in range(100)}
    assert nw.Architecture({"r": "one", "a": "p", "x": 2}) in children
    assert all(child in space for child in children)


def test_moves_refuse_what_is_not_of_the_space():
    """A wrong answer is found at once."""
    space = demo()
    good = space.sample(np.random.default_rng(0))
    bad = good.replace(width=17)
    for move in (lambda: space.mutate(bad, np.random.default_rng(0)), lambda: list(space.neighbours(bad))):
        with pytest.raises(ArchitectureError, match="'width' has no value 17; its values: 16, 32, 64"):
            move()
    with pytest.raises(ArchitectureError, match="'width'"):
        space.crossover(good, bad, np.random.default_rng(0))
    with pytest.raises(ArchitectureError, match="'width'"):
        space.encode(bad)
