"""BANANAS."""

from pathlib import Path

import numpy as np
import pytest
from tests.strategies.player import dial_sum, differing, play, started, trial

from netwright.errors import InputError
from netwright.evaluators.tables import open_table
from netwright.predictors import MLPEnsemble
from netwright.strategies import Bananas, Random
from netwright.testing import toy
from netwright.trial import Objective
from netwright.zoo import nasbench201

TABLE = Path(__file__).parents[3] / "shared/data/nasbench201/nasbench201.npz"


@pytest.fixture
def knowing(monkeypatch):
    """An ensemble that expects the true sum of the dials, with the spread that is given."""

    def make(spread):
        monkeypatch.setattr(MLPEnsemble, "fit", lambda self, architectures, scores: self)
        monkeypatch.setattr(
            MLPEnsemble,
            "predict",
            lambda self, architectures: (
                np.array([dial_sum(a)["score"] for a in architectures]),
                np.full(len(architectures), spread),
            ),
        )

    return make


def test_rounds_of_mutations_of_the_best(knowing):
    """Ten random ones, then ten at a time: each one mutation away from the best so far, and heir to it."""
    knowing(0.0)
    proposals = play(started(Bananas()), 50, score=dial_sum)
    scores = [dial_sum(proposal.architecture)["score"] for proposal in proposals]
    assert [None] * 10 == [proposal.inherits for proposal in proposals[:10]]
    for begin in (10, 20, 30, 40):
        parent = int(np.argmax(scores[:begin]))
        for proposal in proposals[begin : begin + 10]:
            assert proposal.inherits == parent
            assert len(differing(proposals[parent].architecture, proposal.architecture)) == 1


def test_without_spread_the_best_candidates_in_order(knowing):
    """Independent draws of no spread are the means: each round begins with its best and goes down."""
    knowing(0.0)
    proposals = play(started(Bananas()), 30, score=dial_sum)
    scores = np.array([dial_sum(proposal.architecture)["score"] for proposal in proposals])
    for begin in (10, 20):
        assert (np.diff(scores[begin : begin + 10]) <= 0).all()
        assert scores[begin] >= scores[:begin].max() + 2


def test_with_spread_each_is_drawn(knowing):
    """With a spread far above the differences of the means the order is any."""
    knowing(100.0)
    proposals = play(started(Bananas()), 20, score=dial_sum)
    scores = np.array([dial_sum(proposal.architecture)["score"] for proposal in proposals])
    assert (np.diff(scores[10:20]) > 0).any()


@pytest.mark.parametrize("acquisition", ["ucb", "ei", "mean"])
def test_other_acquisitions(knowing, acquisition):
    """Under one spread for all they agree with the mean."""
    knowing(1.0)
    proposals = play(started(Bananas(acquisition=acquisition)), 20, score=dial_sum)
    assert (np.diff([dial_sum(proposal.architecture)["score"] for proposal in proposals[10:]]) <= 0).all()


def test_known_candidates_are_mutated_once_more(knowing):
    """Where every neighbour of the best was proposed the next ones are two mutations away."""
    knowing(0.0)
    proposals = play(started(Bananas(mutants=200)), 200, score=lambda a: {"score": float(sum(a.values()) == 30)})
    assert len({proposal.architecture for proposal in proposals}) == 200


def test_a_round_goes_on_while_trials_are_pending(knowing):
    """Four at a time are the same round, of what was known when it began."""
    knowing(0.0)
    strategy = started(Bananas(initial=3, batch=6))
    play(strategy, 3, score=dial_sum)
    waiting = [strategy.ask(np.random.default_rng(number)) for number in range(4)]
    strategy.tell(trial(3, waiting[0].architecture, score=1e9))
    more = [strategy.ask(np.random.default_rng(number)) for number in range(3)]
    assert 1 == len({proposal.inherits for proposal in (*waiting, *more[:2])})
    assert more[2].inherits == 3


def test_it_learns_anew_each_round_and_then_rarely(monkeypatch):
    """Every round up to ``points`` trials; beyond, when a fifth more are there. At most ``points`` are learnt."""
    sizes = []
    fit = MLPEnsemble.fit
    monkeypatch.setattr(MLPEnsemble, "fit", lambda self, a, s: (sizes.append(len(s)), fit(self, a, s))[1])
    monkeypatch.setattr(MLPEnsemble, "_fit", lambda self, rows, scores: None)
    monkeypatch.setattr(MLPEnsemble, "_predict", lambda self, rows: np.zeros((2, len(rows))))
    play(started(Bananas(points=50)), 120, score=dial_sum)
    assert sizes == [10, 20, 30, 40, 50, 50, 50, 50]  # of 10, 20, 30, 40, 50, 60, 80 and 100 trials


def test_paths_where_there_are_graphs():
    """The forty most frequent; elsewhere one-hot."""
    for space, encoding, columns in ((nasbench201.space(), "paths", 40), (toy.SPACES["cell"](), "one-hot", None)):
        strategy = started(Bananas(initial=2), space)
        play(strategy, 3)
        assert strategy._ensemble.encoding == encoding
        assert len(strategy._ensemble._encoder.columns) == (columns or len(space.columns))
        assert (strategy._ensemble.members, strategy._ensemble.depth, strategy._ensemble.width) == (5, 10, 20)


def test_an_exhausted_space_ends():
    """All of it is proposed, once."""
    assert 12 == len({p.architecture for p in play(started(Bananas(initial=3), "shared"), 40)})


def test_it_beats_random_on_nasbench201():
    """Its mean regret after sixty queries is less than half of that of random search."""
    if not TABLE.exists():
        pytest.skip("NAS-Bench-201 is not beside the project (shared/data/nasbench201)")
    table = open_table(TABLE)
    values = table.column("cifar10.valid@200").of_seed("mean")

    def regret(make):
        runs = []
        for seed in range(4):
            proposals = play(
                started(make(), table.space), 60, seed=seed, score=lambda a: {"score": float(values[table.row(a)])}
            )
            runs.append(values.max() - max(values[table.row(p.architecture)] for p in proposals))
        return np.mean(runs)

    assert regret(Bananas) < 0.5 * regret(Random)


def test_refusals():
    """Several objectives, and arguments that are none."""
    with pytest.raises(InputError, match="Bananas compares trials by one objective, found 2: score, price"):
        started(Bananas(), objectives=(toy.OBJECTIVE, Objective("price", "minimize")))
    with pytest.raises(InputError, match="batch is a whole number of at least 1, found 0"):
        Bananas(batch=0)
    with pytest.raises(InputError, match=r"acquisition 'itts' is unknown \(did you mean 'its'\?\)"):
        Bananas(acquisition="itts")
