"""Local search, against the published rule played step by step."""

import collections

import numpy as np
import pytest
from tests.strategies.player import dial_sum, differing, play, started, trial

from netwright.errors import InputError
from netwright.strategies import LocalSearch
from netwright.testing import toy
from netwright.trial import Objective, State, Trial


def score_of(architecture):
    return toy.digest_of(architecture)["score"]


def climb(space, asked):
    """Plays the rule of whole neighbourhoods along a history; the local optima, and how often it began."""
    asked, known, optima, begun = list(asked), {}, [], 0

    def take(allowed):
        architecture = asked.pop(0)
        assert architecture in allowed
        assert architecture not in known
        known[architecture] = score_of(architecture)
        return architecture

    everything = set(space.enumerate())
    while asked:
        here = take(everything)
        begun += 1
        while True:
            around = list(space.neighbours(here))
            while asked and not known.keys() >= set(around):
                take(around)
            best = max((neighbour for neighbour in around if neighbour in known), key=known.__getitem__)
            if known[best] <= known[here]:
                optima.append(here)
                break
            here = best
    return optima, begun


@pytest.mark.parametrize("seed", range(5))
def test_the_whole_neighbourhood(seed):
    """It asks for all neighbours that are unknown, moves to the best of all, and begins anew at a local optimum."""
    space = toy.SPACES["cell"]()
    found = [proposal.architecture for proposal in play(started(LocalSearch(), space), 100, seed=seed)]
    assert len(found) == 48
    optima, begun = climb(space, found)
    assert begun >= 2
    for optimum in optima:
        assert max(map(score_of, space.neighbours(optimum))) <= score_of(optimum)


def test_the_first_improvement():
    """Where a neighbour is better it moves at once: everything asked for is one edit from the best so far."""
    found = play(started(LocalSearch(neighbourhood="first")), 120, score=dial_sum)
    here = found[0]
    moves = 0
    for number, proposal in enumerate(found[1:], 1):
        assert len(differing(here.architecture, proposal.architecture)) == 1
        assert found[proposal.inherits] is here
        if dial_sum(proposal.architecture)["score"] > dial_sum(here.architecture)["score"]:
            here, moves = found[number], moves + 1
    assert moves > 15


def test_whole_neighbourhoods_of_a_slope():
    """On the same slope it moves once in a neighbourhood of sixty, to a dial turned all the way."""
    found = play(started(LocalSearch()), 1 + 60 + 57, score=dial_sum)
    scores = [dial_sum(proposal.architecture)["score"] for proposal in found]
    assert {0} == {proposal.inherits for proposal in found[1:61]}
    (second,) = {proposal.inherits for proposal in found[61:]}
    assert scores[second] == max(scores[:61])
    assert all(len(differing(found[second].architecture, p.architecture)) == 1 for p in found[61:])


@pytest.mark.parametrize("neighbourhood", ["all", "first"])
@pytest.mark.parametrize("window", [1, 4, 9])
@pytest.mark.parametrize("space", ["flat", "conditional", "cell", "constrained"])
def test_nothing_is_asked_twice(space, window, neighbourhood):
    """Every architecture of a small space once, however many are pending."""
    strategy = started(LocalSearch(neighbourhood=neighbourhood), space)
    asked = pending(strategy, 1_000, window)
    assert len(asked) == len({proposal.architecture for proposal in asked}) == int(strategy.space.size)


def pending(strategy, trials, window, score=toy.digest_of):
    """The proposals of a history in which proposal n knows trials 0 … n − window."""
    asked, told = [], 0
    for number in range(trials):
        while told <= number - window:
            strategy.tell(Trial(told, asked[told], State.FINISHED, score(asked[told].architecture)))
            told += 1
        proposal = strategy.ask(np.random.default_rng(number))
        if proposal is None:
            break
        asked.append(proposal)
    return asked


@pytest.mark.parametrize("neighbourhood", ["all", "first"])
def test_pending_trials_are_no_waste(neighbourhood):
    """With eight pending it still asks almost only for neighbours, and climbs nearly as high."""
    found = {}
    for window in (1, 8):
        asked = pending(started(LocalSearch(neighbourhood=neighbourhood)), 400, window, score=dial_sum)
        found[window] = max(dial_sum(proposal.architecture)["score"] for proposal in asked)
        assert sum(proposal.inherits is None for proposal in asked) <= 8 + 3
    assert found[8] >= found[1] - 3


def test_the_first_improvement_does_not_wait():
    """Told of a better neighbour, it looks around that one at once, whatever else is pending."""
    strategy = started(LocalSearch(neighbourhood="first"))
    first = strategy.ask(np.random.default_rng(0))
    strategy.tell(Trial(0, first, State.FINISHED, {"score": 1.0}))
    around = [strategy.ask(np.random.default_rng(number)) for number in range(1, 5)]
    strategy.tell(Trial(1, around[0], State.FINISHED, {"score": 0.0}))
    assert strategy.ask(np.random.default_rng(5)).inherits == 0
    strategy.tell(Trial(2, around[1], State.FINISHED, {"score": 2.0}))
    following = strategy.ask(np.random.default_rng(6))
    assert following.inherits == 2
    assert len(differing(around[1].architecture, following.architecture)) == 1


def test_equals_are_no_reason_to_move():
    """On a plain it stands, looks around, and begins anew."""
    found = play(started(LocalSearch()), 61 * 3, score=lambda architecture: {"score": 1.0})
    assert [None, *[0] * 60, None, *[61] * 60, None, *[122] * 60] == [proposal.inherits for proposal in found]


def test_neighbours_come_in_random_order():
    """Each of the five neighbours of an architecture is looked at first about as often as any other."""
    space = toy.SPACES["flat"]()
    counts = collections.Counter()
    for seed in range(500):
        strategy = started(LocalSearch(), space)
        first = strategy.ask(np.random.default_rng([seed, 0]))
        strategy.tell(trial(0, first.architecture, score=0.0))
        second = strategy.ask(np.random.default_rng([seed, 1]))
        counts.update(differing(first.architecture, second.architecture))
    assert counts["width"] / 500 == pytest.approx(2 / 5, abs=0.08)
    assert all(counts[name] / 500 == pytest.approx(1 / 5, abs=0.08) for name in ("kernel", "bias", "activation"))


def test_it_begins_at_the_best_of_the_starts():
    """With four starts it looks around the best of four, here and after every local optimum."""
    found = play(started(LocalSearch(starts=4), "conditional"), 60)
    scores = [score_of(proposal.architecture) for proposal in found]
    assert [None] * 4 == [proposal.inherits for proposal in found[:4]]
    assert found[4].inherits == int(np.argmax(scores[:4]))
    again = next(number for number in range(4, 60) if found[number].inherits is None)
    assert [None] * 4 == [proposal.inherits for proposal in found[again : again + 4]]
    assert found[again + 4].inherits == again + int(np.argmax(scores[again : again + 4]))


@pytest.mark.parametrize("state", [State.FAILED, State.INFEASIBLE, State.PRUNED])
def test_without_a_score_it_is_never_moved_to(state):
    """What has no score is looked at once and left alone; a start without one is replaced."""
    lost = {0, 2, 3, 5, 8, 13}
    found = play(started(LocalSearch()), 80, score=dial_sum, state=lambda n: state if n in lost else State.FINISHED)
    assert found[1].inherits is None
    assert lost.isdisjoint({proposal.inherits for proposal in found})


def test_the_smallest_is_best_where_small_is_good():
    """A minimized objective is climbed downwards."""
    strategy = started(LocalSearch(neighbourhood="first"), objectives=(Objective("score", "minimize"),))
    found = play(strategy, 200, score=dial_sum)
    assert min(dial_sum(proposal.architecture)["score"] for proposal in found) < 5


def test_ranges_move_by_a_tenth():
    """In a range it looks a tenth below and above."""
    found = play(started(LocalSearch(), "mixed"), 8)
    first = found[0].architecture
    scales = {p.architecture["scale"] for p in found[1:] if differing(first, p.architecture) == ["scale"]}
    expected = {first["scale"] - 0.1, first["scale"] + 0.1}
    assert scales
    assert all(min(abs(scale - other) for other in expected) < 1e-12 for scale in scales)


def test_several_objectives_are_refused():
    """It says which there are and what to use."""
    objectives = (toy.OBJECTIVE, Objective("macs", "minimize"))
    with pytest.raises(InputError, match=r"one objective, found 2: score, macs\. Use the strategy NSGA2"):
        LocalSearch().start(toy.SPACES["flat"](), objectives)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"starts": 0}, "starts is a whole number of at least 1, found 0"),
        ({"starts": True}, "starts is a whole number"),
        ({"neighbourhood": "best"}, "neighbourhood is 'all' or 'first', found 'best'"),
    ],
)
def test_bad_parameters_are_named(arguments, message):
    """The message says what was found and what was expected."""
    with pytest.raises(InputError, match=message):
        LocalSearch(**arguments)
