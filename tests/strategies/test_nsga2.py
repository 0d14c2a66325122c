"""NSGA-II, against the paper's procedures written out, and against moocore."""

import moocore
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.strategies.player import play, started, trial

from netwright import pareto
from netwright.errors import InputError
from netwright.strategies import NSGA2
from netwright.strategies.nsga2 import rank_and_crowding
from netwright.testing import toy
from netwright.trial import Objective, State, Trial

TWO = (toy.OBJECTIVE, Objective("price", "minimize"))
CLOUDS = st.integers(1, 3).flatmap(
    lambda objectives: arrays(
        np.float64, st.tuples(st.integers(1, 25), st.just(objectives)), elements=st.integers(0, 6).map(float)
    )
)


def dominates(a, b):
    return all(a >= b) and any(a > b)


def fast_non_dominated_sort(points):
    """Deb et al. 2002, section III.A, line by line; the rank of each point, larger being better."""
    count = len(points)
    dominated = [[q for q in range(count) if dominates(points[p], points[q])] for p in range(count)]
    counter = [sum(dominates(points[q], points[p]) for q in range(count)) for p in range(count)]
    ranks, front, rank = np.zeros(count, int), [p for p in range(count) if counter[p] == 0], 0
    while front:
        following = []
        for p in front:
            ranks[p] = rank
            for q in dominated[p]:
                counter[q] -= 1
                if counter[q] == 0:
                    following.append(q)
        front, rank = following, rank + 1
    return ranks


def crowding_distance(points):
    """Deb et al. 2002, section III.B, for the points of one front; an objective without a span adds nothing."""
    distances = [0.0] * len(points)
    if len(points) <= 2:
        return [np.inf] * len(points)
    for m in range(points.shape[1]):
        order = sorted(range(len(points)), key=lambda i: points[i][m])
        span = points[order[-1]][m] - points[order[0]][m]
        if span == 0:
            continue
        distances[order[0]] = distances[order[-1]] = np.inf
        for before, here, after in zip(order, order[1:], order[2:], strict=False):
            distances[here] += (points[after][m] - points[before][m]) / span
    return distances


@given(CLOUDS)
def test_the_sort(points):
    """Ranks are those of the fast non-dominated sort, and moocore's; crowding is that of each front."""
    ranks, crowding = rank_and_crowding(points)
    assert fast_non_dominated_sort(points).tolist() == ranks.tolist()
    assert moocore.pareto_rank(points, maximise=True).tolist() == ranks.tolist()
    for rank in set(ranks.tolist()):
        layer = np.flatnonzero(ranks == rank)
        np.testing.assert_allclose(crowding_distance(points[layer]), crowding[layer])


def survivors(trials, size):
    """The best of parents and children: whole fronts first, of the last one the least crowded, of equals the older."""
    points = np.array([[o.score(trial.metrics) for o in TWO] for trial in trials])
    ranks = fast_non_dominated_sort(points)
    kept = []
    for rank in range(max(ranks) + 1):
        layer = np.flatnonzero(ranks == rank)
        distances = crowding_distance(points[layer])
        for place in sorted(range(len(layer)), key=lambda place: (-distances[place], trials[layer[place]].number)):
            if len(kept) < size:
                kept.append(trials[layer[place]].number)
    return kept


def test_generations():
    """After each generation the parents are the survivors of parents and children."""
    strategy = started(NSGA2(8), objectives=TWO)
    trials, parents = [], []
    for number in range(80):
        proposal = strategy.ask(np.random.default_rng(number))
        assert proposal.inherits is None if number < 8 else proposal.inherits in parents
        trials.append(Trial(number, proposal, State.FINISHED, toy.digest_of(proposal.architecture)))
        strategy.tell(trials[-1])
        if number % 8 == 7:
            pool = sorted({*parents, *range(number - 7, number + 1)})
            parents = survivors([trials[n] for n in pool], 8)
            assert set(parents) == set(strategy.heirs())


def test_binary_tournaments():
    """A parent of the front beats one behind it, a lonely one a crowded one: of 4 the best is parent in 7 of 16."""
    strategy = started(NSGA2(4), objectives=TWO)
    rng = np.random.default_rng(0)
    points = [(0.0, 3.0), (0.5, 2.6), (1.0, 2.0), (0.9, 2.4)]  # (score, price): the last one dominates none
    for number, (score, price) in enumerate(points):
        strategy.tell(trial(number, strategy.space.sample(rng), score=score, price=price))
    ranks, crowding = rank_and_crowding(np.array([[score, -price] for score, price in points]))
    order = sorted(range(4), key=lambda i: (ranks[i], -crowding[i]))
    counts = np.bincount([strategy.ask(rng).inherits for _ in range(3_000)], minlength=4) / 3_000
    assert [2] == [i for i in order if ranks[i] == 0]
    assert counts[order] == pytest.approx([7 / 16, 5 / 16, 3 / 16, 1 / 16], abs=0.04)


def test_it_finds_the_front():
    """On two smooth objectives it dominates far more than random search does, towards both ends of the front."""
    def values(architecture):
        numbers = np.array(list(architecture.values()))
        return {"score": float(numbers.sum()), "price": float((numbers**2).sum())}

    strategy = started(NSGA2(20), objectives=TWO)
    found = [values(proposal.architecture) for proposal in play(strategy, 600, score=values)]
    rng = np.random.default_rng(0)
    drawn = [values(strategy.space.sample(rng)) for _ in range(600)]
    volumes = [
        pareto.hypervolume([[v["score"], v["price"]] for v in some], (0, 180), ["maximize", "minimize"])
        for some in (found, drawn)
    ]
    assert volumes[0] > 1.08 * volumes[1]  # the whole front has 7,000, random search about 5,700
    assert max(v["score"] for v in found) > max(v["score"] for v in drawn) + 3
    assert min(v["price"] for v in found) < min(v["price"] for v in drawn) - 8


def test_infeasible_trials_are_behind():
    """Infeasible trials are parents while there is nothing better, and give way to feasible ones, however bad."""
    strategy = started(NSGA2(4), objectives=TWO)
    rng = np.random.default_rng(0)
    for number in range(4):
        strategy.tell(trial(number, strategy.space.sample(rng), State.INFEASIBLE, params=10.0))
    assert list(range(4)) == sorted(strategy.heirs())
    assert strategy.ask(rng).inherits is None
    for number in range(4, 8):
        state = State.FINISHED if number < 7 else State.INFEASIBLE
        strategy.tell(trial(number, strategy.space.sample(rng), state, score=-1e6 - number, price=1e6 + number))
    assert [0, 4, 5, 6] == sorted(strategy.heirs())


def test_failed_trials_never_join():
    """A failed trial is no member of any generation."""
    found = play(started(NSGA2(5)), 40, state=lambda n: State.FAILED if n % 3 == 1 else State.FINISHED)
    assert all(proposal.inherits % 3 != 1 for proposal in found if proposal.inherits is not None)
    assert [None] * 7 == [proposal.inherits for proposal in found[:7]]  # 1 and 4 failed
    assert found[7].inherits is not None


@pytest.mark.parametrize("window", [3, 8, 30])
def test_nothing_waits_for_a_generation(window):
    """With trials pending there is a proposal all the same, also with more pending than a generation has."""
    strategy = started(NSGA2(8), objectives=TWO)
    asked = []
    for number in range(120):
        if number >= window:
            done = number - window
            strategy.tell(Trial(done, asked[done], State.FINISHED, toy.digest_of(asked[done].architecture)))
        asked.append(strategy.ask(np.random.default_rng(number)))
        if number >= 7 + window:
            assert asked[-1].inherits is not None
    assert None not in asked


@pytest.mark.parametrize(("space", "size"), [("flat", 24), ("conditional", 168), ("constrained", 20), ("point", 1)])
def test_nothing_is_proposed_twice(space, size):
    """Duplicates are removed: every architecture of a small space once, and then nothing is left."""
    proposals = play(started(NSGA2(), space), 1_000)
    assert size == len(proposals) == len({proposal.architecture for proposal in proposals})


def test_small_spaces_have_small_populations():
    """A generation is at most a quarter of the combinations, so that there is a second one."""
    found = play(started(NSGA2(), "flat"), 24)
    assert [None] * 6 == [proposal.inherits for proposal in found[:6]]
    assert found[6].inherits is not None


def test_one_objective():
    """With one objective it climbs as any evolution does."""
    def height(architecture):
        return {"score": float(sum(architecture.values()))}

    found = play(started(NSGA2(20)), 600, score=height)
    assert max(height(proposal.architecture)["score"] for proposal in found) >= 54


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"population": 1}, "population is a whole number of at least 2, found 1"),
        ({"crossover": -0.1}, "crossover is a probability, from 0 to 1, found -0.1"),
        ({"mutation": True}, "mutation is a probability"),
    ],
)
def test_bad_parameters_are_named(arguments, message):
    """The message says what was found and what was expected."""
    with pytest.raises(InputError, match=message):
        NSGA2(**arguments)
