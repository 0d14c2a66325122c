"""Learning curves, extrapolated."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from netwright.errors import InputError
from netwright.predictors import CurveRegression, LastValue, ParametricCurves, SumOfTrainingLosses
from netwright.predictors.learning_curves import FAMILIES

CURVES = Path(__file__).parents[3] / "shared/data/nasbench201/nats_tss_3archs_full_curves.json.gz"
STEPS = np.arange(1.0, 101)


def power(count, seed=0, noise=0.005):
    """Curves that saturate as a power of the step, each its own."""
    rng = np.random.default_rng(seed)
    end, drop, speed = rng.uniform(0.7, 0.95, count), rng.uniform(0.3, 0.6, count), rng.uniform(0.4, 1.2, count)
    return end[:, None] - drop[:, None] * STEPS ** -speed[:, None] + noise * rng.normal(size=(count, 100))


def test_the_last_value_is_itself():
    """Its spread is how far finals were off, in the root of the mean square."""
    mean, spread = LastValue().fit([[0.1, 0.5], [0.2, 0.4]], [0.6, 0.1]).predict([[0.3, 0.7, 0.8]])
    assert mean.tolist() == [0.8]
    assert spread[0] == pytest.approx(np.sqrt((0.1**2 + 0.3**2) / 2))


def test_the_sum_of_training_losses():
    """Of the last steps, or of all; smaller is better; a line through what is known gives the unit."""
    curves = [[3.0, 2.0, 1.0], [2.0, 1.0, 1.5], [1.0, 1.0, 2.0]]
    assert SumOfTrainingLosses(window=1).ranking(curves).tolist() == [-1.0, -1.5, -2.0]
    assert SumOfTrainingLosses(window=2).ranking(curves).tolist() == [-3.0, -2.5, -3.0]
    assert SumOfTrainingLosses(window=None).ranking(curves).tolist() == [-6.0, -4.5, -4.0]
    mean, spread = SumOfTrainingLosses().fit(curves, [90.0, 80.0, 70.0]).predict([[9.0, 9.0, 1.25]])
    np.testing.assert_allclose((mean[0], spread[0]), (85.0, 0.0), atol=1e-9)


@pytest.mark.parametrize("name", list(FAMILIES))
def test_each_family_is_found(name):
    """From thirty steps of its curve the hundredth is found, by itself or a near relative.

    What is scaled to begin at 0 is no longer of the two families that have no offset; it is come near to all the same.
    """
    family = FAMILIES[name]
    ends = zip(family.start, family.low, family.high, strict=True)
    curve = family.curve(STEPS, np.array([(at + high) / 2 if at == low else at for at, low, high in ends]))
    mean, _ = ParametricCurves(100, draws=0).predict([curve[:30]])
    assert abs(mean[0] - curve[-1]) < max(0.02 * np.ptp(curve), 0.4 * abs(curve[29] - curve[-1]))


def test_families_beat_the_last_value_where_curves_are_of_them():
    """From twenty of a hundred steps, several times nearer; and the spread is honest."""
    curves = power(12)
    mean, spread = ParametricCurves(100).predict(list(curves[:, :20]))
    off, last = mean - curves[:, -1], curves[:, 19] - curves[:, -1]
    assert np.sqrt(np.mean(off**2)) < 0.4 * np.sqrt(np.mean(last**2))
    assert np.mean(np.abs(off) < 1.96 * spread) >= 0.75


def test_a_falling_curve_is_fitted_upside_down():
    """A loss of 1 - y is predicted as one minus what y is."""
    curve = power(1)[0, :25]
    rising, falling = (ParametricCurves(100, draws=0).predict([c])[0][0] for c in (curve, 1 - curve))
    assert falling == pytest.approx(1 - rising, abs=1e-6)


def test_a_flat_curve_stays():
    """There is nothing to extrapolate."""
    assert [[5.0], [0.0]] == [part.tolist() for part in ParametricCurves(50).predict([[5.0] * 10])]


def test_a_fit_corrects_the_spread():
    """Where curves are known to end elsewhere, the spread grows to what they were off by."""
    curves = power(8)
    before = ParametricCurves(100, draws=0).predict(list(curves[:, :20]))[1]
    finals = curves[:, -1] + np.array([0.2, -0.2] * 4)
    after = ParametricCurves(100, draws=0).fit(list(curves[:, :20]), finals).predict(list(curves[:, :20]))[1]
    assert before.mean() < 0.1 < after.mean()


def test_regression_reads_the_beginning():
    """It learns what the shape of the first ten steps says, and is nearer than the last value."""
    known, asked = power(60), power(60, seed=1)
    mean, spread = CurveRegression().fit(list(known[:, :10]), known[:, -1]).predict(list(asked[:, :10]))
    off = mean - asked[:, -1]
    assert spearmanr(mean, asked[:, -1]).statistic > 0.9
    assert np.sqrt(np.mean(off**2)) < 0.5 * np.sqrt(np.mean((asked[:, 9] - asked[:, -1]) ** 2))
    assert 0.85 <= np.mean(np.abs(off) < 1.96 * spread) <= 1


def test_real_curves():
    """The validation accuracy of a cell of NAS-Bench-201 after 12 epochs, from its first six: within some points."""
    if not CURVES.exists():
        pytest.skip("the curves of NAS-Bench-201 are not beside the project (shared/data/nasbench201)")
    with gzip.open(CURVES, "rt") as file:
        runs = [run for entry in json.load(file) for run in entry["runs"] if run["dataset"] == "cifar10-valid"]
    curves = [np.array(run["train_acc"]) for run in runs if run["epochs"] == 12]
    assert len(curves) > 2
    mean, _ = ParametricCurves(12, draws=0).predict([curve[:6] for curve in curves])
    off, last = mean - [c[-1] for c in curves], np.array([c[5] - c[-1] for c in curves])
    assert np.sqrt(np.mean(off**2)) < np.sqrt(np.mean(last**2))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: LastValue().predict([[1.0]]), "LastValue was asked to predict before it was fitted"),
        (lambda: LastValue().fit([[1.0], [np.nan]], [1.0, 2.0]), "curve 1 is no row of finite numbers"),
        (lambda: LastValue().fit([[1.0]], [1.0, 2.0]), "found 1 curves and values of shape"),
        (lambda: LastValue().fit([[]], [1.0]), "curve 0 is no row of finite numbers"),
        (lambda: LastValue().fit(None, [1.0]), "curves are a list of rows of numbers, found NoneType"),
        (lambda: LastValue().fit(["abc"], [1.0]), "curve 0 is no row of numbers, found 'abc'"),
        (lambda: LastValue().fit([[0.1, [0.2]]], [1.0]), r"curve 0 is no row of numbers, found \[0.1, \[0.2\]\]"),
        (lambda: LastValue().fit([[1j]], [1.0]), "curve 0 is no row of numbers"),
        (lambda: LastValue().fit([[1e300]], [1.0]), r"curve 0 goes beyond 1e\+100"),
        (lambda: LastValue().fit([[1.0]], ["a"]), "found 1 curves and values that are no numbers"),
        (lambda: LastValue().fit([[1.0]], [-1e300]), r"a final value goes beyond 1e\+100"),
        (lambda: ParametricCurves(9, seed=-1), "seed is a whole number of at least 0, found -1"),
        (lambda: CurveRegression(penalties=()), "penalties are one or more numbers above 0, found none"),
        (lambda: CurveRegression(penalties=(1, -1)), "penalty is a number above 0, found -1"),
        (lambda: CurveRegression(nu=2.0), "nu is a probability, from 0 to 1, found 2.0"),
        (
            lambda: CurveRegression().fit([[1.0, 2.0, 3.0], *[[1.0] * 4] * 6], [1.0] * 7),
            "curves of one length, found 3, 4 steps. Cut all curves",
        ),
        (lambda: ParametricCurves(3), "steps is a whole number of at least 4, found 3"),
        (lambda: ParametricCurves(10).predict([[1.0] * 3]), "a curve has 4 to 10 steps, found 3"),
        (lambda: SumOfTrainingLosses(window=0), "window is a whole number of steps, at least 1, or None, found 0"),
        (lambda: CurveRegression().fit([[1.0, 2.0]] * 6, [1.0] * 6), "at least 5 curves .* 3 steps, found 6 of 2"),
        (
            lambda: CurveRegression().fit([[1.0, 2.0, 3.0]] * 6, [1.0] * 6).predict([[1.0, 2.0]]),
            "fitted to curves of 3 steps, found 2. Cut all curves to the same length",
        ),
    ],
)
def test_nonsense_is_refused(call, words):
    """What was found and what is wanted."""
    with pytest.raises(InputError, match=words):
        call()
