"""Proxy-guided warm start: the votes by hand, the pool and the moves by small studies."""

import itertools

import numpy as np
import pytest
from tests.strategies.player import dial_sum, differing, started

from netwright.errors import InputError
from netwright.evaluators.proxies.evaluator import USUAL
from netwright.strategies import Evolution, LocalSearch, ProxyStart, Random
from netwright.strategies.proxy_start import PATIENCE, ranked
from netwright.testing import check_strategy, toy
from netwright.trial import Objective, State, Trial

NAN = float("nan")


def honest(architecture):
    """Proxies that know the truth, on three scales."""
    value = dial_sum(architecture)["score"]
    return {"synflow": value, "jacob_cov": np.exp(value), "naswot": 3 * value - 100}


def play(strategy, trials, *, seed=0, window=1, proxies=honest, score=dial_sum, fails=lambda n, proposal: False):
    """A small study whose proxy trials have proxies alone; the proposals. ``window`` of them are pending at a time."""
    proposals, ended, told = [], [], 0
    for number in range(trials):
        while told <= number - window:
            strategy.tell(ended[told])
            told += 1
        proposal = strategy.ask(np.random.default_rng([seed, number]))
        if proposal is None:
            break
        proposals.append(proposal)
        if fails(number, proposal):
            ended.append(Trial(number, proposal, State.FAILED))
        else:
            metrics = (proxies if proposal.budget == "proxy" else score)(proposal.architecture)
            ended.append(Trial(number, proposal, State.FINISHED, metrics))
    return proposals


def budgets(proposals):
    return [(budget, len(list(group))) for budget, group in itertools.groupby(p.budget for p in proposals)]


def test_majority_and_ranks_may_differ():
    """Two of three proxies prefer the first, narrowly; the third abhors it, so its ranks sum to less."""
    judged = [(5.0, 5.0, 1.0), (4.0, 4.0, 5.0), (3.0, 3.0, 4.0), (2.0, 2.0, 3.0), (1.0, 1.0, 2.0)]
    assert ranked(judged, "majority") == [0, 1, 2, 3, 4]
    assert ranked(judged, "ranks") == [1, 0, 2, 3, 4]


def brute_force(judged):
    """Wins less defeats, pair by pair and vote by vote; then the mean shares below; then the order."""
    wins, shares = [0] * len(judged), [0.0] * len(judged)
    for i, j in itertools.permutations(range(len(judged)), 2):
        votes = [(a > b) - (a < b) for a, b in zip(judged[i], judged[j], strict=True)]
        wins[i] += (sum(votes) > 0) - (sum(votes) < 0)
        shares[i] += sum(votes)
    return wins, shares


@pytest.mark.parametrize("vote", ["majority", "ranks"])
def test_votes_by_brute_force(vote):
    """Over random tables with ties."""
    rng = np.random.default_rng(0)
    for _ in range(30):
        judged = [tuple(row) for row in rng.integers(0, 6, size=(9, 3)).astype(float).tolist()]
        wins, shares = brute_force(judged)
        keys = [(-wins[i] if vote == "majority" else 0, -shares[i], i) for i in range(9)]
        assert ranked(judged, vote) == [i for _, _, i in sorted(keys)]


@pytest.mark.parametrize("vote", ["majority", "ranks"])
def test_scales_do_not_matter(vote):
    """Only orders are used: a monotone change of any proxy changes nothing."""
    rng = np.random.default_rng(1)
    table = rng.normal(size=(20, 3))
    bent = np.stack([np.exp(table[:, 0]), table[:, 1] ** 3 - 50, 1e9 * table[:, 2]], axis=1)
    assert ranked([tuple(row) for row in table], vote) == ranked([tuple(row) for row in bent], vote)


def test_a_missing_proxy_is_no_vote():
    """Who lacks one is judged by the others."""
    assert ranked([(1.0, NAN), (2.0, 1.0), (NAN, 2.0)]) == [2, 1, 0]
    assert ranked([]) == []
    assert ranked([(NAN, 1.0)]) == [0]


@pytest.mark.parametrize("window", [1, 4])
def test_pool_then_the_best_of_it_then_the_inner_strategy(window):
    """Thirty proxy trials, all different; the five best of those told, the best first; then children."""
    proposals = play(started(ProxyStart(pool=30, keep=5)), 60, window=window)
    assert budgets(proposals) == [("proxy", 30), (None, 30)]
    pool = [proposal.architecture for proposal in proposals[:30]]
    assert len(set(pool)) == 30
    sums = [dial_sum(architecture)["score"] for architecture in pool]
    if window == 1:
        best = sorted(range(30), key=lambda place: (-sums[place], place))[:5]
        assert [pool[place] for place in best] == [proposal.architecture for proposal in proposals[30:35]]
    assert {proposal.architecture for proposal in proposals[30:35]} <= set(pool)
    assert all(proposal.inherits is not None for proposal in proposals[35 + window - 1 :])


def test_the_best_of_the_pool_is_the_population():
    """Evolution of five begins at once with the five that it was told of, and inherits from them."""
    proposals = play(started(ProxyStart(pool=20, keep=5)), 26)
    child = proposals[25]
    assert 20 <= child.inherits < 25
    assert len(differing(proposals[child.inherits].architecture, child.architecture)) == 1


def test_it_helps_where_proxies_are_good():
    """With proxies that know the truth the best after 25 trials with a budget beats evolution without them."""

    def best(strategy, trials):
        real = [p for p in play(strategy, trials) if p.budget is None]
        return max(dial_sum(proposal.architecture)["score"] for proposal in real)

    assert best(started(ProxyStart(pool=50, keep=10)), 75) > best(started(Evolution(10, 3)), 25) + 3


@pytest.mark.parametrize("how", ["failed", "without"])
def test_without_proxies_it_is_the_inner_strategy(how):
    """When six proxy trials have failed, or brought none of the proxies, the inner strategy begins by itself."""
    broken = started(ProxyStart(Evolution(5, 2), pool=30, keep=5, moves=4))
    fails = (lambda n, proposal: proposal.budget == "proxy") if how == "failed" else (lambda n, proposal: False)
    proposals = play(broken, 40, fails=fails, proxies=lambda a: {"params": 1.0})
    assert budgets(proposals) == [("proxy", PATIENCE), (None, 34)]
    inner, expected = started(Evolution(5, 2)), []
    for number in range(PATIENCE, 40):
        proposal = inner.ask(np.random.default_rng([0, number]))
        expected.append(proposal)
        inner.tell(Trial(number, proposal, State.FINISHED, dial_sum(proposal.architecture)))
    assert expected == proposals[PATIENCE:]


def test_never_more_than_six_in_the_dark():
    """With sixteen pending, six are proxy trials until one has come back with a proxy; then the pool goes on."""
    proposals = play(started(ProxyStart(pool=12, keep=3)), 40, window=16)
    assert budgets(proposals)[:3] == [("proxy", PATIENCE), (None, 10), ("proxy", 6)]


def test_some_failures_are_left_out():
    """A pool half of which failed gives its best among the other half."""
    fails = lambda n, proposal: n < 20 and n % 2 == 0  # noqa: E731
    proposals = play(started(ProxyStart(pool=20, keep=10)), 31, fails=fails)
    alive = {proposal.architecture for number, proposal in enumerate(proposals[:20]) if number % 2}
    assert {proposal.architecture for proposal in proposals[20:30]} == alive
    assert proposals[30].inherits is not None


def test_smaller_is_better_with_a_minus():
    """``-macs`` ranks the smallest first."""
    strategy = started(ProxyStart(proxies=("-macs",), pool=15, keep=1))
    proposals = play(strategy, 16, proxies=lambda a: {"macs": dial_sum(a)["score"]})
    sums = [dial_sum(proposal.architecture)["score"] for proposal in proposals]
    assert sums[15] == min(sums[:15])


@pytest.mark.parametrize("window", [1, 4])
def test_moves_are_judged_before_they_are_made(window):
    """Of four mutations of a parent the best by proxy is proposed, and inherits from the parent."""
    strategy = started(ProxyStart(pool=10, keep=4, moves=4))
    proposals = play(strategy, 90, window=window)
    assert proposals[0].budget == "proxy"
    children = [(number, proposal) for number, proposal in enumerate(proposals) if proposal.inherits is not None]
    assert len(children) > 10
    judged = {proposal.architecture for proposal in proposals if proposal.budget == "proxy"}
    for number, child in children:
        parent = proposals[child.inherits].architecture
        siblings = [p.architecture for p in proposals[10:number] if p.budget == "proxy"]
        near = [a for a in siblings if len(differing(parent, a)) == 1]
        assert child.architecture in judged
        assert len(differing(parent, child.architecture)) == 1
        if window == 1:
            sums = [dial_sum(a)["score"] for a in near[-3:]]
            assert dial_sum(child.architecture)["score"] >= max(sums)


def test_a_judged_mutation_is_not_asked_for_again():
    """What was scored once is remembered; no proxy trial is repeated."""
    proxies = {"proxies": lambda a: {"naswot": toy.digest_of(a)["price"]}, "score": toy.digest_of}
    proposals = play(started(ProxyStart(pool=5, keep=3, moves=6), "flat"), 60, **proxies)
    asked = [proposal.architecture for proposal in proposals if proposal.budget == "proxy"]
    assert len(asked) == len(set(asked))


def test_heirs_hold_the_parents_of_moves():
    """While a move is being judged its parent stays inheritable, although evolution may have let it go."""
    strategy = started(ProxyStart(Evolution(2, 1), pool=4, keep=2, moves=4))
    ended = []
    for number in range(80):
        while len(ended) and ended[0].number <= number - 4:
            strategy.tell(ended.pop(0))
        heirs = strategy.heirs()
        proposal = strategy.ask(np.random.default_rng([0, number]))
        assert proposal.inherits is None or proposal.inherits in heirs
        metrics = (honest if proposal.budget == "proxy" else dial_sum)(proposal.architecture)
        ended.append(Trial(number, proposal, State.FINISHED, metrics))
    assert len(strategy._parents) < 40


def test_a_small_space_is_a_small_pool():
    """When every architecture was judged, the best are proposed and the inner strategy goes on."""
    proposals = play(started(ProxyStart(pool=100, keep=3), "shared"), 20, score=toy.digest_of,
                     proxies=lambda a: {"naswot": toy.digest_of(a)["score"]})  # fmt: skip
    assert budgets(proposals) == [("proxy", 12), (None, 8)]
    best = max((proposal.architecture for proposal in proposals[:12]), key=lambda a: toy.digest_of(a)["score"])
    assert proposals[12].architecture == best


def test_any_inner_strategy():
    """By its name, with arguments, or an object; it is told of the seeds."""
    for inner in ("random", "evolution(population=4, tournament=2)", LocalSearch()):
        proposals = play(started(ProxyStart(inner, pool=8, keep=2)), 20)
        assert budgets(proposals)[0] == ("proxy", 8)
        assert len(proposals) == 20
    assert ProxyStart("random").inner == "random"


def test_defaults():
    """The proxies of the evaluator's own default, the paper's vote; the pool's best as evolution's population."""
    strategy = ProxyStart()
    assert strategy.proxies == USUAL
    assert strategy.vote == "majority"
    assert (strategy._inner.population, strategy._inner.tournament) == (strategy.keep, 3)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: ProxyStart(pool=8, keep=4), id="warm-up"),
        pytest.param(lambda: ProxyStart(pool=6, keep=3, moves=3, vote="ranks"), id="moves"),
        pytest.param(lambda: ProxyStart(proxies=("absent",)), id="in vain"),
        pytest.param(lambda: ProxyStart("random", pool=5, keep=2), id="over random search"),
    ],
)
def test_conformance(make):
    """In each of its phases it keeps the contract."""
    check_strategy(make)


def test_several_objectives():
    """As many as the inner strategy takes."""
    objectives = (toy.OBJECTIVE, Objective("price", "minimize"))
    check_strategy(lambda: ProxyStart(Random(), pool=5, keep=2), {"flat": toy.SPACES["flat"]()}, objectives=objectives)
    with pytest.raises(InputError, match="Evolution compares trials by one objective, found 2"):
        ProxyStart().start(toy.SPACES["flat"](), objectives)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"pool": 0}, "pool is a whole number of at least 1, found 0"),
        ({"moves": 1.5}, "moves is a whole number"),
        ({"proxies": ()}, "proxies are the names of one or more metrics"),
        ({"proxies": "synflow"}, "proxies are the names of one or more metrics, found 'synflow'"),
        ({"vote": "majorty"}, r"vote 'majorty' is unknown \(did you mean 'majority'"),
        ({"inner": 3}, "inner is a strategy or the name of one, found 3"),
        ({"inner": "evolutoin"}, "unknown strategy 'evolutoin'"),
    ],
)
def test_bad_parameters_are_named(arguments, sentence):
    """Each says what was found and what is expected."""
    with pytest.raises(InputError, match=sentence):
        ProxyStart(**arguments)
