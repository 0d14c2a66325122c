"""What all predictors of architectures keep to."""

import random
import sys

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau

from netwright.errors import InputError, MissingExtra
from netwright.predictors import PREDICTORS, GaussianProcess, GradientBoosting, MLPEnsemble, Predictor, RandomForest
from netwright.predictors.random_forest import TreeColumns
from netwright.testing import toy
from netwright.zoo import nasbench201

QUICK = {"graph-network": {"epochs": 40}, "gradient-boosting": {"rounds": 40}}
NAMES = sorted(PREDICTORS)
COUNT = 60
NOISE = 0.5


@pytest.fixture(scope="module")
def cells():
    return nasbench201.space()


def drawn(space, count, seed=0):
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(count)]


def worth(architectures, seed=None):
    """Convolutions on the ways through the cell count, nothing else; and with a seed some noise."""
    clean = np.array(
        [sum({"nor_conv_3x3": 2, "nor_conv_1x1": 1}.get(o, 0) for o in live(a)) for a in architectures], dtype=float
    )
    return clean if seed is None else clean + NOISE * np.random.default_rng(seed).normal(size=len(clean))


def live(architecture):
    return nasbench201.NASBench201.graph(architecture).without({"none"}).operations


@pytest.fixture(scope="module")
def fitted(cells):
    known = drawn(cells, COUNT)
    made = {name: PREDICTORS[name](cells, **QUICK.get(name, {})) for name in NAMES}
    return {name: predictor.fit(known, worth(known, 1)) for name, predictor in made.items()}


@pytest.mark.parametrize("name", NAMES)
def test_it_ranks_what_it_has_not_seen(name, fitted, cells):
    """Sixty architectures are enough to put others in order."""
    asked = drawn(cells, 200, seed=1)
    mean, spread = fitted[name].predict(asked)
    assert isinstance(fitted[name], Predictor)
    assert kendalltau(mean, worth(asked)).statistic > 0.5
    assert (mean.shape, spread.shape, mean.dtype, spread.dtype) == ((200,), (200,), float, float)


@pytest.mark.parametrize("name", NAMES)
def test_its_spread_covers_what_is_measured(name, fitted, cells):
    """Of new measurements, noise and all, some 95 % lie within two spreads (82 % to 98 % by the draw of these sixty);
    and the spread is less than that of the scores."""
    asked = drawn(cells, 400, seed=2)
    mean, spread = fitted[name].predict(asked)
    assert 0.8 <= np.mean(np.abs(mean - worth(asked, 3)) < 1.96 * spread) <= 1
    assert spread.mean() < worth(asked).std() * 1.1


@pytest.mark.parametrize("name", NAMES)
def test_a_fit_repeats_itself(name, cells):
    """The same seed gives the same predictor, another number or generator another where it draws."""
    known, asked = drawn(cells, 12), drawn(cells, 10, seed=1)

    def found(seed):
        small = {"graph-network": {"epochs": 3}, "gradient-boosting": {"rounds": 5}, "mlp-ensemble": {"epochs": 3}}
        return PREDICTORS[name](cells, seed=seed, **small.get(name, {})).fit(known, worth(known)).predict(asked)[0]

    np.testing.assert_array_equal(found(3), found(3))
    np.testing.assert_array_equal(found(3), found(np.random.default_rng(3)))
    assert name in ("gp", "gp-hamming", "gp-wl", "ridge") or (found(3) != found(4)).any()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_global_is_touched(name, fitted, cells):
    """The generators of Python, NumPy and torch stay as they are."""
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    known = drawn(cells, 8)
    PREDICTORS[name](cells).fit(known, worth(known)).predict(known)
    assert before == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())


@pytest.mark.parametrize("name", NAMES)
def test_rows_do_for_architectures(name, fitted, cells):
    """What was encoded once is predicted the same."""
    asked = drawn(cells, 5, seed=4)
    predictor = fitted[name]
    np.testing.assert_array_equal(predictor.predict(asked), predictor.predict(predictor.encode(asked)))
    assert [0, 0] == [len(part) for part in predictor.predict([])]


@pytest.mark.parametrize("name", NAMES)
def test_the_unit_of_the_scores_does_not_matter(name, cells):
    """Scores of another unit and origin give means and spreads of that unit and origin."""
    known, asked = drawn(cells, 20), drawn(cells, 10, seed=1)
    small = {"graph-network": {"epochs": 5}, "gradient-boosting": {"rounds": 10}, "mlp-ensemble": {"epochs": 5}}

    def found(scores):
        return PREDICTORS[name](cells, **small.get(name, {})).fit(known, scores).predict(asked)

    mean, spread = found(worth(known, 1))
    other_mean, other_spread = found(1000 * worth(known, 1) - 50)
    np.testing.assert_allclose(other_mean, 1000 * mean - 50, rtol=1e-3, atol=2)
    np.testing.assert_allclose(other_spread, 1000 * spread, rtol=1e-2, atol=2)


@pytest.mark.parametrize("name", ["ridge", "random-forest", "gradient-boosting"])
def test_update_is_a_fit_to_all(name, cells):
    """Where a predictor does not say otherwise; the first update is a fit."""
    known = drawn(cells, 20)
    made = [PREDICTORS[name](cells) for _ in range(2)]
    made[0].fit(known, worth(known))
    made[1].update(known[:12], worth(known[:12])).update(known[12:], worth(known[12:])).update([], [])
    np.testing.assert_array_equal(made[0].predict(known), made[1].predict(known))


@pytest.mark.parametrize("name", NAMES)
def test_two_are_enough_to_begin(name, cells):
    """A fit to one or two architectures, or to equal scores, gives finite numbers."""
    small = {"graph-network": {"epochs": 2}, "gradient-boosting": {"rounds": 2}, "mlp-ensemble": {"epochs": 2}}
    for scores in ([1.0], [1.0, 2.0], [1.0] * 7):
        predictor = PREDICTORS[name](cells, **small.get(name, {})).fit(drawn(cells, len(scores)), scores)
        assert np.isfinite(predictor.predict(drawn(cells, 5, seed=1))).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["conditional", "mixed"])
def test_other_spaces(name, kind):
    """Conditions and ranges are read by every predictor."""
    space = toy.SPACES[kind]()
    small = {"graph-network": {"epochs": 2}, "gradient-boosting": {"rounds": 2}, "mlp-ensemble": {"epochs": 2}}
    known = drawn(space, 12)
    predictor = PREDICTORS[name](space, **small.get(name, {})).fit(known, np.arange(12.0))
    assert np.isfinite(predictor.predict(drawn(space, 5, seed=1))).all()


@pytest.mark.parametrize("name", NAMES)
def test_nonsense_is_refused(name, cells):
    """What was found and what to do, in one sentence; and nothing is learnt of it."""
    known = drawn(cells, 3)
    predictor = PREDICTORS[name](cells)
    who = type(predictor).__name__
    with pytest.raises(InputError, match=f"{who} was asked to predict before it was fitted. Call fit first"):
        predictor.predict(known)
    for scores, words in (
        ([1.0, np.nan, 2.0], "score 1 of 3 is nan, a score is a finite number. Leave failed trials out"),
        ([1.0, 2.0], r"found 3 architectures and scores of shape \(2,\)"),
        ([[1.0], [2.0], [3.0]], r"scores of shape \(3, 1\)"),
        (["good", "bad", "good"], "scores are numbers, found"),
    ):
        with pytest.raises(InputError, match=words):
            predictor.fit(known, scores)
    with pytest.raises(InputError, match="nothing to learn from"):
        predictor.fit([], [])
    with pytest.raises(InputError, match="before it was fitted"):
        predictor.predict(known)
    with pytest.raises(InputError, match="learns on a SearchSpace, found 'cells'"):
        PREDICTORS[name]("cells")


def test_members_alone_are_over_sure(cells):
    """The bare spread of an ensemble covers far less than it says; that is what calibration is for."""
    known, asked = drawn(cells, COUNT), drawn(cells, 400, seed=2)

    def covered(calibrate):
        predictor = MLPEnsemble(cells, epochs=60, calibrate=calibrate).fit(known, worth(known, 1))
        mean, spread = predictor.predict(asked)
        return np.mean(np.abs(mean - worth(asked, 3)) < 1.96 * spread)

    assert covered(False) < 0.8 < covered(True)


def test_an_extra_that_is_missing_is_named(cells, monkeypatch):
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(MissingExtra, match=r"needs lightgbm. Install it: pip install 'netwright\[surrogates\]'"):
        GradientBoosting(cells).fit(drawn(cells, 3), [1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda s: RandomForest(s, trees=1), "trees is a whole number of at least 2, found 1"),
        (lambda s: GradientBoosting(s, rounds=0), "rounds is a whole number of at least 1, found 0"),
        (lambda s: MLPEnsemble(s, loss="mse"), r"loss 'mse' is unknown \(did you mean 'mae'\?\)"),
        (lambda s: MLPEnsemble(s, encoding="path"), r"encoding 'path' is unknown \(did you mean 'paths'\?\)"),
        (lambda s: MLPEnsemble(s, depth=True), "depth is a whole number of at least 1, found True"),
        (lambda s: PREDICTORS["graph-network"](s, layers=0), "layers is a whole number of at least 1, found 0"),
    ],
)
def test_wrong_arguments_are_refused(make, words, cells):
    """By name, with what is known."""
    with pytest.raises(InputError, match=words):
        make(cells)


def test_the_forest_is_its_trees(cells, fitted):
    """Mean and variance of the trees, and the mean variance within the leaves, as scikit-learn counts them."""
    forest = RandomForest(cells, warp=False, trees=7).fit(drawn(cells, 30), worth(drawn(cells, 30), 1))
    asked = forest.encode(drawn(cells, 10, seed=1))
    means = np.array([tree.predict(asked)[:, 0] for tree in forest._fitted])
    within = np.array([tree.impurity[tree.apply(asked)] for tree in forest._fitted])
    mean, spread = forest.latent(asked)
    np.testing.assert_allclose(mean, means.mean(0))
    np.testing.assert_allclose(spread**2, means.var(0) + within.mean(0))
    draw = forest.drawn(asked, np.random.default_rng(0))
    assert any(np.array_equal(draw, one) for one in means)


def test_trees_split_on_counts(cells):
    """How often an operation was taken has a column of its own."""
    columns = TreeColumns(cells)
    architectures = drawn(cells, 20)
    counts = np.array([list(a.values()).count("nor_conv_3x3") for a in architectures])
    rows = columns.encode(architectures)
    assert any(abs(np.corrcoef(counts, column)[0, 1]) > 1 - 1e-6 for column in rows.T if column.std() > 0)


def test_the_names(cells):
    """Each name makes a predictor, with the arguments that it stands for."""
    trained = {"gradient-boosting", "graph-network", "mlp-ensemble", "random-forest"}
    assert trained | {"gp", "gp-hamming", "gp-wl", "ridge"} == {*PREDICTORS}
    assert len(PREDICTORS) == 8
    assert PREDICTORS["gp-wl"](cells).kernel == "wl"
    assert isinstance(PREDICTORS["gp-hamming"](cells), GaussianProcess)
    with pytest.raises(KeyError):
        PREDICTORS["bohamiann"]
