"""The default strategy."""

import numpy as np
import pytest
from tests.strategies.player import dial_sum, differing, play, started, trial

from netwright.errors import ArchitectureError, InputError
from netwright.predictors import GaussianProcess
from netwright.strategies import Auto, Evolution, Random
from netwright.strategies.informed import Informed
from netwright.testing import toy
from netwright.trial import Objective, State, Trial

FULL = {"width": 4, "kernel": 3, "bias": True, "activation": "relu"}
PARTIAL = {"width": 2, "activation": "tanh"}
PRICE = Objective("price", "minimize")


def auto(*starts, **options):
    """Without proxies, which have tests of their own."""
    return Auto(starts, proxies=False, **options)


def with_proxies(strategy, trials, *, score=dial_sum, proxies=lambda architecture: {"params": 1.0}):
    """Asks and tells until so many trials with a score have been told; all proposals."""
    proposals, scored, number = [], 0, 0
    while scored < trials:
        proposal = strategy.ask(np.random.default_rng([0, number]))
        if proposal is None:
            break
        proposals.append(proposal)
        found = (proxies if proposal.budget == "proxy" else score)(proposal.architecture)
        state = State.FAILED if found is None else State.FINISHED
        strategy.tell(Trial(number, proposal, state, found or {}))
        scored += proposal.budget != "proxy"
        number += 1
    return proposals


# Starts


def test_starts_come_first_as_they_are():
    """A whole start is proposed as it is, a partial one with the rest drawn."""
    first, second, third = play(started(auto(FULL, PARTIAL), "flat"), 3)
    assert dict(first.architecture) == FULL
    assert dict(second.architecture).items() >= PARTIAL.items()
    assert (first.inherits, second.inherits) == (None, None)
    assert third.architecture not in (first.architecture, second.architecture)


def test_a_start_is_not_proposed_twice():
    """The same start again is passed over."""
    proposals = play(started(auto(FULL, FULL), "flat"), 20)
    assert [dict(p.architecture) for p in proposals if dict(p.architecture) == FULL] == [FULL]


@pytest.mark.parametrize("start", [{"depth": 3}, {"width": 99}])
def test_a_start_that_does_not_fit_is_refused_at_once(start):
    """The space's own sentence, before anything is proposed."""
    with pytest.raises(ArchitectureError, match=r"depth|width"):
        started(auto(start), "flat")


def test_a_start_beyond_the_limits_is_left_out():
    """Where the limits of the space refuse a start, the search begins with the next."""
    space = toy.SPACES["flat"]().restrict(lambda architecture: architecture["width"] < 4)
    proposals = play(started(auto(FULL, PARTIAL), space), 40)
    assert dict(proposals[0].architecture).items() >= PARTIAL.items()
    assert len(proposals) == 16


def test_a_portfolio_follows_the_starts_and_is_not_known_to_be_good():
    """Selection prefers starts that are known to be good where networks are alike: those of a portfolio are not."""
    strategy = auto(PARTIAL, portfolio=(FULL,))
    first, second = play(started(strategy, "flat"), 2)
    assert dict(first.architecture).items() >= PARTIAL.items()
    assert dict(second.architecture) == FULL
    assert list(strategy.known_good()) == [PARTIAL]


# Proxies


def test_proxies_are_asked_first_and_tell_where_to_look():
    """With a proxy that knows the truth, the first guesses of the surrogate are better than those without."""

    def truth(architecture):
        return {"score": float(sum((-1.5, 1.0, 0.5)[i % 3] * v for i, v in enumerate(architecture.values())))}

    asking = started(Auto(proxies=True))
    informed = with_proxies(asking, 10, score=truth, proxies=lambda a: {"params": truth(a)["score"]})
    plain = with_proxies(started(auto()), 10, score=truth)
    assert ["proxy"] * 48 == [p.budget for p in informed[:48]]
    assert "proxy" not in [p.budget for p in informed[48:]]
    guesses = [np.mean([truth(p.architecture)["score"] for p in ps[-5:]]) for ps in (informed, plain)]
    assert guesses[0] > guesses[1]


@pytest.mark.parametrize("answer", [None, {}])
def test_without_proxies_it_goes_on_alone(answer):
    """One proxy trial that fails or brings nothing, and no more are asked."""
    proposals = with_proxies(started(Auto(proxies=True)), 12, proxies=lambda architecture: answer)
    assert ["proxy"] + [None] * 12 == [p.budget for p in proposals]


def test_one_proxy_is_asked_before_any_has_come_back():
    """However many proposals are pending, a study without proxies sees one failure."""
    strategy = started(Auto(proxies=True))
    proposals = [strategy.ask(np.random.default_rng(number)) for number in range(6)]
    assert ["proxy"] + [None] * 5 == [p.budget for p in proposals]


def test_an_evaluator_that_evaluates_instead_is_believed():
    """A proxy trial that brings the objective is a trial like any other."""
    proposals = play(started(Auto(proxies=True)), 60, score=dial_sum)
    assert max(dial_sum(p.architecture)["score"] for p in proposals) > 45


# The surrogate


@pytest.mark.parametrize(("space", "size"), [("flat", 24), ("conditional", 168), ("constrained", 20), ("point", 1)])
def test_every_architecture_once(space, size):
    """It exhausts a small space without a repetition, and then proposes nothing."""
    strategy = started(auto(), space)
    proposals = play(strategy, 1_000)
    assert size == len(proposals) == len({proposal.architecture for proposal in proposals})
    assert play(strategy, 2) == []


def test_it_does_not_repeat_what_it_was_told():
    """An architecture that it did not propose itself is no news either."""
    strategy = started(auto(), "flat")
    known = toy.SPACES["flat"]().validate(FULL)
    strategy.tell(trial(1_000, known, score=1.0))
    assert known not in [proposal.architecture for proposal in play(strategy, 50)]


def test_it_learns():
    """In sixty trials of a smooth space it gets farther than random search and evolution, for each of two seeds."""
    for seed in range(2):
        best = {}
        for make in (auto, Random, lambda: Evolution(10, 3)):
            proposals = play(started(make()), 60, seed=seed, score=dial_sum)
            best[make] = max(dial_sum(proposal.architecture)["score"] for proposal in proposals)
        assert best.pop(auto) > max(best.values())


def test_pending_proposals_are_not_asked_for_again():
    """Four that are asked for at once are four, and not neighbours of one optimum alone."""
    strategy = started(auto(), "flat")
    play(strategy, 12)
    four = [strategy.ask(np.random.default_rng(number)).architecture for number in range(4)]
    assert len(set(four)) == 4


def test_a_child_inherits_where_one_decision_differs():
    """The parent is among the heirs, and the child differs from it in one decision at most."""
    strategy = started(auto())
    proposals = play(strategy, 60, score=dial_sum)
    inheriting = [p for p in proposals if p.inherits is not None]
    assert len(inheriting) > 5
    assert all(len(differing(proposals[p.inherits].architecture, p.architecture)) <= 1 for p in inheriting)


def test_the_best_are_heirs():
    """The twenty best trials, whenever they were told."""
    strategy = started(auto())
    proposals = play(strategy, 40, score=dial_sum)
    order = sorted(range(40), key=lambda n: (-dial_sum(proposals[n].architecture)["score"], n))
    assert sorted(order[:20]) == sorted(strategy.heirs())


def test_both_ends_of_a_front_are_found():
    """With the sum of ten dials and that of the others against each other, both ends are reached, and the middle."""

    def score(architecture):
        first = sum(value for name, value in architecture.items() if int(name[-2:]) < 10)
        return {"score": float(first), "price": float(first + sum(architecture.values())) / 2}

    proposals = play(started(auto(), objectives=(toy.OBJECTIVE, PRICE)), 80, score=score)
    points = [score(p.architecture) for p in proposals]
    assert max(p["score"] for p in points) > 24
    assert min(p["price"] for p in points) < 12


# Budgets


def test_what_promises_most_climbs():
    """On a ladder few architectures reach the top, each below it first, inheriting from its own trial; the best do."""
    strategy = started(auto(budgets=(1, 3, 9)))
    proposals = play(strategy, 80, score=dial_sum)
    told = {budget: [p for p in proposals if p.budget == budget] for budget in (1, 3, 9)}
    assert len(told[1]) > len(told[9]) > 3
    below = {p.architecture: n for n, p in enumerate(proposals) if p.budget == 3}
    assert {p.architecture for p in told[9]} <= set(below)
    assert all(proposals[p.inherits].architecture == p.architecture for p in told[9] if p.inherits is not None)
    climbed = np.mean([dial_sum(p.architecture)["score"] for p in told[9]])
    assert climbed > np.mean([dial_sum(p.architecture)["score"] for p in told[1]])


def test_a_budget_that_tells_nothing_is_given_up():
    """Where the cheap budget ranks the other way round, candidates go to the full one at once."""
    strategy = started(auto(budgets=(1, 9)))
    budgets = []
    for number in range(60):
        proposal = strategy.ask(np.random.default_rng([0, number]))
        value = dial_sum(proposal.architecture)["score"] * (1 if proposal.budget == 9 else -1)
        strategy.tell(Trial(number, proposal, State.FINISHED, {"score": value}))
        budgets.append(proposal.budget)
    assert 1 in budgets[:20]
    assert [9] * 20 == budgets[40:]


@pytest.mark.parametrize("options", [{"budgets": (9, 1)}, {"proxies": "yes"}])
def test_bad_parameters_are_named(options):
    """A ladder ascends; proxies are asked for or not."""
    with pytest.raises(InputError, match=next(iter(options))):
        Auto(**options)


# The surrogate with a prior mean


def scored(count, seed):
    space = toy.SPACES["dials"]()
    rng = np.random.default_rng(seed)
    architectures = [space.sample(rng) for _ in range(count)]
    process = GaussianProcess(space, kernel="hamming", warp=False)
    return process, process.encode(architectures), np.array([dial_sum(a)["score"] for a in architectures])


def test_a_hint_that_is_true_is_followed():
    """With the truth as a hint, five scores are enough to rank a hundred others."""
    process, rows, truth = scored(105, 0)
    informed = Informed(process)
    hints = ((truth - truth.mean()) / truth.std())[:, None]
    informed.learn(rows[:5], hints[:5], truth[:5], 5)
    mean, _ = informed.expect(rows[5:], hints[5:])
    assert np.corrcoef(mean, truth[5:])[0, 1] > 0.9


def test_a_hint_that_says_nothing_is_ignored():
    """With noise as a hint, what is expected hardly changes."""
    _, rows, truth = scored(100, 1)
    noise = np.random.default_rng(2).normal(size=(100, 1))
    expected = []
    for hints in (np.zeros((100, 0)), noise):
        informed = Informed(GaussianProcess(toy.SPACES["dials"](), kernel="hamming", warp=False))
        informed.learn(rows[:60], hints[:60], truth[:60], 60)
        expected.append(informed.expect(rows[60:], hints[60:])[0])
    assert np.corrcoef(*expected)[0, 1] > 0.95


def test_spread_shrinks_where_something_is_believed():
    """A pending architecture counts as known: its spread falls, its mean stays."""
    process, rows, truth = scored(40, 3)
    informed = Informed(process)
    informed.learn(rows[:30], np.zeros((30, 0)), truth[:30], 30)
    before = informed.expect(rows[30:31], np.zeros((1, 0)))
    informed.believe(rows[30:31], np.zeros((1, 0)))
    after = informed.expect(rows[30:31], np.zeros((1, 0)))
    assert after[1][0] < before[1][0]
    assert after[0][0] == pytest.approx(before[0][0], abs=0.1)
