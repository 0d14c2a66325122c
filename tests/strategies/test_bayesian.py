"""Bayesian optimisation."""

from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats
from tests.strategies.player import dial_sum, differing, play, started, trial

from netwright import pareto
from netwright.errors import InputError
from netwright.evaluators.tables import open_table
from netwright.predictors import GaussianProcess, RandomForest
from netwright.predictors.warping import normal_scores
from netwright.strategies import STRATEGIES, Bayesian, Random
from netwright.strategies.bayesian import _scalarised, _worst
from netwright.strategies.ehvi import expected_excess
from netwright.testing import toy
from netwright.trial import Objective, State

TABLE = Path(__file__).parents[3] / "shared/data/nasbench201/nasbench201.npz"
SURROGATES = ["gp", "random-forest"]


def best(proposals):
    return max(dial_sum(proposal.architecture)["score"] for proposal in proposals)


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_it_learns_where_to_look(surrogate):
    """On a smooth landscape of 4²⁰ it reaches in sixty trials what random search does not in a thousand."""
    found = [best(play(started(Bayesian(surrogate)), 60, seed=seed, score=dial_sum)) for seed in range(2)]
    assert min(found) > best(play(started(Random()), 1_000, score=dial_sum))


def test_it_begins_at_random():
    """The first ``initial`` proposals are those of random search, pending ones counted."""
    strategy, random = started(Bayesian(initial=6)), started(Random())
    assert play(random, 6) == play(strategy, 6)
    waiting, random = started(Bayesian(initial=6)), started(Random())
    waiting.tell(trial(0, waiting.ask(np.random.default_rng(0)).architecture, score=1.0))
    random.ask(np.random.default_rng(0))
    for number in range(1, 6):
        proposal = waiting.ask(np.random.default_rng(number))
        assert proposal == random.ask(np.random.default_rng(number))
    assert len(waiting._pool) == 0


def told(space, count=10):
    """A strategy that was told ``count`` trials, and what they were."""
    strategy = started(Bayesian(), space)
    return strategy, [proposal.architecture for proposal in play(strategy, count)]


def score(architecture):
    return toy.digest_of(architecture)["score"]


def test_it_proposes_what_promises_most():
    """In a space that the candidates cover: the greatest expected improvement of all that is left."""
    space = toy.SPACES["flat"]()
    strategy, known = told(space)
    proposal = strategy.ask(np.random.default_rng(1))
    scores = normal_scores(np.array([score(a) for a in known]))
    left = [a for a in space.enumerate() if a not in known]
    process = GaussianProcess(space, warp=False).fit(known, scores)
    improvement = expected_excess(*process.latent(left), scores.max())
    assert proposal.architecture == left[int(np.argmax(improvement))]


def test_pending_proposals_are_believed():
    """The next one promises most given that those before it came out as expected."""
    space = toy.SPACES["flat"]()
    strategy, known = told(space)
    first = strategy.ask(np.random.default_rng(1)).architecture
    second = strategy.ask(np.random.default_rng(2)).architecture
    scores = normal_scores(np.array([score(a) for a in known]))
    left = [a for a in space.enumerate() if a not in (*known, first)]
    process = GaussianProcess(space, warp=False).fit(known, scores)
    process.update([first], process.predict([first])[0])
    improvement = expected_excess(*process.latent(left), scores.max())
    assert second == left[int(np.argmax(improvement))]


def test_expected_improvement_is_the_integral():
    """Of what lies above the best, under the normal density."""
    for mean, spread, level in ((0.0, 1.0, 0.5), (1.0, 0.3, 0.9), (-2.0, 0.7, 0.0)):
        expected, _ = integrate.quad(
            lambda y, m=mean, s=spread, b=level: (y - b) * stats.norm.pdf(y, m, s), level, mean + 12 * spread
        )
        found = expected_excess(np.array([mean]), np.array([spread]), level)
        assert found[0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("acquisition", ["ucb", "its", "thompson"])
@pytest.mark.parametrize("surrogate", SURROGATES)
def test_other_acquisitions(surrogate, acquisition):
    """Each of them looks where scores are high, and repeats itself."""
    found = [play(started(Bayesian(surrogate, acquisition=acquisition)), 35, score=dial_sum) for _ in range(2)]
    assert found[0] == found[1]
    scores = [dial_sum(proposal.architecture)["score"] for proposal in found[0]]
    assert np.mean(scores[20:]) > np.mean(scores[:10]) + 2


def test_mutations_inherit():
    """From a trial that they are one or two decisions away from; random candidates from none."""
    strategy = started(Bayesian())
    proposals = play(strategy, 40, score=dial_sum)
    children = [proposal for proposal in proposals if proposal.inherits is not None]
    assert len(children) > 15
    for child in children:
        assert 1 <= len(differing(proposals[child.inherits].architecture, child.architecture)) <= 2


def test_it_learns_from_the_best_and_some_others():
    """At most ``points`` trials: half of them the best, which are among those."""
    strategy = started(Bayesian(points=20))
    proposals = play(strategy, 60, score=dial_sum)
    scores = [dial_sum(proposal.architecture)["score"] for proposal in proposals]
    strategy.ask(np.random.default_rng(0))
    assert len(strategy._models[0]._kept) == 20
    assert sorted(known.scores[0] for known in strategy._best) == sorted(scores)[-10:]
    assert len(strategy._others) == 10


def test_failed_trials_are_not_learnt_from_nor_proposed_again():
    """A search in which every third trial fails goes on."""
    proposals = play(started(Bayesian()), 40, state=lambda n: State.FAILED if n % 3 == 0 else State.FINISHED)
    assert len({proposal.architecture for proposal in proposals}) == 40


def halves(architecture):
    """Two objectives that want the opposite of the first five dials and the same of the others."""
    values = np.array([architecture[name] for name in sorted(architecture)], dtype=float)
    common = values[5:].sum()
    return {"score": common + values[:5].sum(), "price": values[:5].sum() - common}


def test_several_objectives():
    """More hypervolume than random search, and not one end of the front alone."""
    objectives = (toy.OBJECTIVE, Objective("price", "minimize"))

    def volume(strategy):
        found = [halves(p.architecture) for p in play(started(strategy, objectives=objectives), 60, score=halves)]
        points = np.array([[one["score"], one["price"]] for one in found])
        ends = points[pareto.front(points, ["maximize", "minimize"])]
        return pareto.hypervolume(points, [0, 15], ["maximize", "minimize"]), np.ptp(ends[:, 0])

    (ours, width), (random, _) = volume(Bayesian()), volume(Random())
    assert ours > 1.2 * random
    assert width > 2
    assert volume(Bayesian("random-forest"))[0] > 1.1 * random


def test_scalarisation():
    """One objective is its normal scores; of two, a weight of nothing leaves the other."""
    scores = np.array([[1.0, 5.0], [2.0, 3.0], [9.0, 1.0]])
    np.testing.assert_allclose(_scalarised(scores[:, :1], np.ones(1)), normal_scores(scores[:, 0]))
    np.testing.assert_allclose(_scalarised(scores, np.array([1.0, 0.0])), normal_scores(scores[:, 0]))
    assert np.argmax(_scalarised(scores, np.array([0.5, 0.5]))) == 1


def test_who_leaves():
    """The lowest score; of several objectives one of the last front, where it is most crowded."""
    assert _worst(np.array([[2.0], [1.0], [3.0]])) == 1
    assert _worst(np.array([[0.0, 10.0], [10.0, 0.0], [5.0, 5.0], [5.1, 4.9], [9.0, 0.5]])) in (2, 3)
    assert _worst(np.array([[1.0, 1.0], [2.0, 2.0], [0.0, 0.0]])) == 2


def test_names():
    """Two names, the surrogate of each."""
    assert isinstance(started(STRATEGIES["gp"]())._models[0], GaussianProcess)
    assert isinstance(started(STRATEGIES["random-forest"]())._models[0], RandomForest)


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_nasbench201(surrogate):
    """On the real table it is within a third of a point of the best after fifty queries, which random is not."""
    if not TABLE.exists():
        pytest.skip("NAS-Bench-201 is not beside the project (shared/data/nasbench201)")
    table = open_table(TABLE)
    values = table.column("cifar10.valid@200").of_seed("mean")

    def regret(make):
        runs = []
        for seed in range(4):
            strategy = started(make(), table.space)
            proposals = play(strategy, 50, seed=seed, score=lambda a: {"score": float(values[table.row(a)])})
            runs.append(values.max() - max(values[table.row(p.architecture)] for p in proposals))
        return np.mean(runs)

    assert regret(lambda: Bayesian(surrogate)) < 0.35 < regret(Random)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"surrogate": "forest"}, "surrogate 'forest' is unknown"),
        ({"acquisition": "pi"}, "acquisition 'pi' is unknown"),
        ({"initial": 0}, "initial is a whole number of at least 1, found 0"),
        ({"points": 3}, "points is a whole number of at least 4, found 3"),
    ],
)
def test_refusals(arguments, words):
    """What was found and what there is."""
    with pytest.raises(InputError, match=words):
        Bayesian(**arguments)
