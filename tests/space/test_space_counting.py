"""Size, draws and enumeration against brute force."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from space_networks import PROGRAMS, Net, brute_force, demo, program, tangled, words_only
from torch import nn

import netwright as nw
from netwright.errors import ArchitectureError, InfeasibleError, SpaceError
from netwright.space import counting

relaxed = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


def space_of(statements):
    """The space of a drawn program; programs in a circle are refused, and they are not what is tested."""
    try:
        return nw.SearchSpace(program(statements))
    except SpaceError as error:
        assume("circle" not in str(error))
        raise


def texts(architectures):
    return sorted(nw.Architecture(answers).to_json() for answers in architectures)


@relaxed
@given(PROGRAMS)
def test_enumeration_is_brute_force(statements):
    """The architectures of a space are those that running the constructor finds, each once, and size counts them."""
    space = space_of(statements)
    assume(space.size <= 1_000)
    expected = brute_force(space.network)
    assert texts(expected) == texts(space.enumerate())
    assert len(expected) == space.size


@relaxed
@given(PROGRAMS)
def test_forward_enumeration_is_the_automatons(statements):
    """What replaces the automaton in tangled spaces lists the same architectures in the same order."""
    space = space_of(statements)
    assume(space.size <= 500)
    assert list(counting.Automaton(space.decisions).enumerate()) == list(counting.Forward(space.decisions).enumerate())


@relaxed
@given(PROGRAMS)
def test_the_place_of_an_architecture_is_its_place_in_the_enumeration(statements):
    """``at(rank)`` gives the architecture that enumeration gives at that place."""
    engine = counting.Automaton(space_of(statements).decisions)
    assume(engine.count <= 500)
    assert list(engine.enumerate()) == [engine.at(rank) for rank in range(engine.count)]


def goodness(space, expected, draw, draws=20_000):
    counts = Counter(draw().to_json() for _ in range(draws))
    assert set(counts) <= set(texts(expected))
    return chisquare([counts[text] for text in texts(expected)]).pvalue


def test_samples_are_uniform_over_architectures():
    """A chi-square test on a conditional space with shared names, against brute force."""
    space = tangled()
    rng = np.random.default_rng(1)
    assert goodness(space, brute_force(space.network), lambda: space.sample(rng)) > 1e-3


def test_completions_are_uniform_over_what_has_the_answers():
    """A later answer changes the chances of the earlier ones as it must."""
    space = tangled()
    rng = np.random.default_rng(2)
    expected = [answers for answers in brute_force(space.network) if answers.get("shared") == "q"]
    assert goodness(space, expected, lambda: space.complete({"shared": "q"}, rng)) > 1e-3


def test_what_a_mutation_activates_is_uniform_over_completions():
    """From a=y, n=0 to n=2, the new blocks and what hangs on them are drawn over all completions alike."""
    space = tangled()
    rng = np.random.default_rng(3)
    parent = nw.Architecture({"a": "y", "n": 0})
    expected = [child for child in brute_force(space.network) if child["a"] == "y" and child["n"] == 2]

    def child():
        while (drawn := space.mutate(parent, rng)).get("n") != 2:
            pass
        return drawn

    assert goodness(space, expected, child, 15_000) > 1e-3


def test_where_is_sampled_uniformly():
    """Rejection leaves the allowed architectures equally likely."""
    space = nw.SearchSpace(tangled().network, where=lambda a: a["n"] != 1)
    rng = np.random.default_rng(4)
    expected = [answers for answers in brute_force(space.network) if answers["n"] != 1]
    assert goodness(space, expected, lambda: space.sample(rng)) > 1e-3
    assert len(expected) == space.size


def test_a_rare_where_is_found_by_enumeration():
    """One architecture in 40,000 is found, although a thousand draws miss it."""

    def declare():
        for index in range(4):
            nw.choose(f"c{index}", *range(14))

    rare = nw.SearchSpace(words_only(declare), where=lambda a: sum(a.values()) == 52)
    rng = np.random.default_rng(0)
    assert {52} == {sum(rare.sample(rng).values()) for _ in range(3)}
    assert rare.size == 1
    assert rare.complete({"c0": 13}, rng)["c3"] == 13


def test_an_impossible_where_is_infeasible():
    """A rule that refuses everything ends in one sentence and exit code 3."""
    space = demo(where=lambda a: False)
    with pytest.raises(InfeasibleError, match="`where` refuses every architecture of Net") as caught:
        space.sample(np.random.default_rng(0))
    assert caught.value.code == 3
    assert space.size == 0


def test_an_impossible_where_of_a_large_space_is_said_so():
    """Beyond a million nothing is enumerated; the message says what was tried."""
    space = nw.SearchSpace(words_only(lambda: nw.choose("c", low=1, high=10**9)), where=lambda a: False)
    with pytest.raises(SpaceError, match="refused 1,000 architectures in a row, and the space is too large"):
        space.sample(np.random.default_rng(0))


def test_same_names_classes():
    """Two operations in either order are one network: of 3 * 3, six classes are left, each equally likely."""
    network = words_only(lambda: (nw.choose("a", *"xyz"), nw.choose("b", *"xyz")))
    space = nw.SearchSpace(network, same=lambda a: tuple(sorted(a.values())))
    expected = [{"a": a, "b": b} for a, b in ("xx", "xy", "xz", "yy", "yz", "zz")]
    rng = np.random.default_rng(5)
    assert space.size == 6
    assert texts(expected) == texts(space.enumerate())
    assert goodness(space, expected, lambda: space.sample(rng), 6_000) > 1e-3


def test_the_size_beyond_a_million_is_an_estimate_with_its_error():
    """Half of 10 ** 9 architectures is estimated within a few standard errors, and the size says how."""
    network = words_only(lambda: [nw.choose(f"c{index}", *range(10)) for index in range(9)])
    size = nw.SearchSpace(network, where=lambda a: a["c0"] < 5).size
    assert not size.exact
    assert "standard error" in size.how
    assert abs(int(size) - 5 * 10**8) < 4 * 0.005 * 10**9
    assert str(size).startswith("about ")


def test_same_beyond_a_million_counts_architectures_and_says_so():
    """Classes that cannot be enumerated are not counted."""
    network = words_only(lambda: [nw.choose(f"c{index}", *range(10)) for index in range(9)])
    size = nw.SearchSpace(network, same=lambda a: 1).size
    assert (False, 10**9) == (size.exact, int(size))
    assert "not classes of `same`" in size.how


def test_a_continuous_range_makes_the_size_infinite():
    """It is a float then, and enumeration refuses by name."""
    space = nw.SearchSpace(words_only(lambda: nw.choose("lr", low=1e-4, high=1.0, log=True)))
    assert float(space.size) == float("inf")
    assert str(space.size) == "infinite"
    with pytest.raises(SpaceError, match="'lr' is a continuous range"):
        next(space.enumerate())


def test_size_behaves_like_an_int():
    """It compares, indexes, hashes and formats as one."""
    size = demo().size
    assert size == 3267 == int(size)
    assert all([size < 3268, size >= 3267, size > 3266, size <= 3267, not size < 3267, not size > 3267])
    assert (3267.0, True, 3267, "3,267") == (float(size), size.exact, range(10_000)[size], str(size))
    assert {size: 1}[3267] == 1


def test_a_huge_product_is_counted_exactly_and_drawn():
    """40 blocks of four operations with two kernels each: no list, no float."""

    def declare():
        for index in range(40):
            nw.one_of(
                f"op{index}",
                **{
                    f"k{kind}": (lambda index=index: words_only(lambda: nw.choose(f"k{index}", 3, 5))())
                    for kind in range(4)
                },
            )

    space = nw.SearchSpace(words_only(declare))
    assert space.size == 8**40
    assert len(space.sample(np.random.default_rng(0))) == 80


def test_names_shared_by_many_branches_stay_countable():
    """Whether any of 24 operations is a convolution is one bit, not 2 ** 24 states."""

    def declare():
        for index in range(24):
            nw.one_of(f"op{index}", conv=words_only(lambda: nw.choose("kernel", 3, 5, 7)), skip=nn.Identity)

    space = nw.SearchSpace(words_only(declare))
    assert space.size == 3 * (2**24 - 1) + 1


def test_what_is_too_tangled_is_estimated(monkeypatch):
    """Beyond the automaton's limit, draws stay valid, nearly uniform, and the size says that it is an estimate."""
    monkeypatch.setattr(counting, "MAX_NODES", 3)
    space = tangled()
    expected = brute_force(space.network)
    rng = np.random.default_rng(0)
    counts = Counter(space.sample(rng).to_json() for _ in range(3_000))
    assert set(texts(expected)) == set(counts)
    assert max(counts.values()) < 3 * min(counts.values())
    assert not space.size.exact
    assert abs(int(space.size) - len(expected)) <= 0.05 * len(expected)
    assert {"q"} == {space.complete({"shared": "q"}, rng)["shared"] for _ in range(20)}
    assert all(child in space for child in (space.mutate(space.sample(rng), rng) for _ in range(50)))


def test_restrict_rejects_and_is_not_counted():
    """A limit is kept by every draw, and the size stays."""
    space = demo().restrict(lambda a: a["width"] == 16).restrict(lambda a: a["depth"] < 4)
    rng = np.random.default_rng(0)
    assert all((a["width"], a["depth"] < 4) == (16, True) for a in (space.sample(rng) for _ in range(100)))
    assert space.size == 3267
    assert 36 == len(list(space.enumerate()))


def test_a_limit_that_nothing_meets_is_infeasible():
    """After a thousand draws the error counts them."""
    with pytest.raises(InfeasibleError, match="none of 1,000 architectures drawn from Net is within its limits"):
        demo().restrict(lambda a: False).sample(np.random.default_rng(0))
    with pytest.raises(InfeasibleError, match="none of 1,000"):
        demo(same=lambda a: a["width"]).restrict(lambda a: False).sample(np.random.default_rng(0))


def test_completions_keep_what_is_answered():
    """A deep block's answer brings the depth that has it."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        completed = demo_space.complete({"op5": "skip", "width": 64}, rng)
        assert (6, "skip", 64) == (completed["depth"], completed["op5"], completed["width"])


demo_space = demo()


def test_contradicting_answers_cannot_be_completed():
    """The message repeats the answers."""
    with pytest.raises(ArchitectureError, match="no architecture of the space has op5=skip, depth=2 together"):
        demo_space.complete({"op5": "skip", "depth": 2}, np.random.default_rng(0))


def test_a_log_range_is_drawn_in_the_logarithm():
    """Half of the draws from 1 to 10,000 lie below 100."""
    for bounds in ({"low": 1.0, "high": 10_000.0}, {"low": 1, "high": 10_000}):
        space = nw.SearchSpace(words_only(lambda bounds=bounds: nw.choose("x", log=True, **bounds)))
        rng = np.random.default_rng(0)
        values = [space.sample(rng)["x"] for _ in range(4_000)]
        assert 0.45 < np.mean(np.array(values) < 100) < 0.55
        assert {type(bounds["low"])} == {type(value) for value in values}
        assert min(values) >= 1
        assert max(values) <= 10_000


def test_draws_are_the_same_in_every_process():
    """The order of sets and dictionaries has no say: two hash seeds give the same architectures and signature."""
    code = (
        "import sys, json, numpy as np; sys.path.insert(0, sys.argv[1])\n"
        "from space_networks import demo, tangled\n"
        "rng = np.random.default_rng(7); s = [demo(), tangled()]\n"
        "print(json.dumps([[t.signature, *[t.sample(rng).to_json() for _ in range(20)]] for t in s]))"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code, str(Path(__file__).parent)],
            env={"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1", "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert json.loads(outputs[0])[0][0] == nw.SearchSpace(Net, input_shape=(1, 8, 8), classes=10).signature


@relaxed
@given(PROGRAMS, st.integers(0, 2**32 - 1))
def test_samples_are_valid(statements, seed):
    """Every draw is an architecture that validates and builds."""
    space = space_of(statements)
    rng = np.random.default_rng(seed)
    for _ in range(5):
        architecture = space.sample(rng)
        assert architecture == space.validate(architecture)
        space.build(architecture)
