"""Goals: losses, metrics and credits against scikit-learn and the formulas."""

import numpy as np
import pytest
import torch
from sklearn.metrics import hamming_loss, log_loss, r2_score
from torch.nn import functional

from netwright.errors import InputError
from netwright.training import Data, Recipe, fit
from netwright.training.goals import GOALS, read_goal

RNG = np.random.default_rng(3)


def example(name: str):
    """Outputs and targets of a goal."""
    if name == "classification":
        return RNG.normal(size=(9, 4)).astype(np.float32), RNG.integers(0, 4, 9)
    if name == "labels":
        return RNG.normal(size=(9, 3)).astype(np.float32), RNG.integers(0, 2, (9, 3)).astype(np.float32)
    if name == "tokens":
        return RNG.normal(size=(9, 5, 6)).astype(np.float32), RNG.integers(0, 6, (9, 5))
    if name == "several(3,1)":
        return RNG.normal(size=(9, 4)).astype(np.float32), np.column_stack(
            [RNG.integers(0, 3, 9), RNG.normal(size=9)]
        ).astype(np.float32)
    columns = 4 if name == "forecast" else 2
    return RNG.normal(size=(9, columns)).astype(np.float32), RNG.normal(size=(9, columns)).astype(np.float32)


@pytest.mark.parametrize("name", [*GOALS, "several(3,1)"])
def test_the_loss_is_the_mean_of_the_losses(name):
    """With weights it is their weighted sum over the number of examples."""
    outputs, targets = map(torch.from_numpy, example(name))
    losses = read_goal(name).losses(outputs, targets)
    weights = torch.rand(len(losses))
    assert (9,) == tuple(losses.shape)
    assert losses.mean().item() == pytest.approx(read_goal(name).loss(outputs, targets).item(), rel=1e-6)
    weighted = read_goal(name).loss(outputs, targets, weights=weights).item()
    assert (losses * weights).sum().item() / 9 == pytest.approx(weighted, rel=1e-6)


@pytest.mark.parametrize("name", [*GOALS, "several(3,1)"])
def test_the_mean_credit_is_the_score(name):
    """What examples count for adds up to the metric that a search goes by."""
    outputs, targets = example(name)
    judged = read_goal(name)
    scores = judged.scores(torch.from_numpy(outputs), torch.from_numpy(targets))
    shown = judged.shown_score(float(judged.credits(outputs, targets).mean()))
    expected = scores[judged.metric]
    if name == "regression":  # R² of several columns is weighted by their variances in the credits
        expected = r2_score(targets, outputs, multioutput="variance_weighted")
    assert expected == pytest.approx(shown, rel=1e-5)


@pytest.mark.parametrize("name", ["classification", "labels", "regression", "several(3,1)"])
def test_no_score_is_more_than_one(name):
    """A bootstrap over examples and seeds can pass what no accuracy and no R² is."""
    assert 1.0 == read_goal(name).shown_score(1.0014)
    assert 0.7 == read_goal(name).shown_score(0.7)


@pytest.mark.parametrize(
    ("name", "least"),
    [("classification", 0.0), ("labels", 0.0), ("several(3,2)", 0.0), ("several(3,1)", -0.5), ("regression", -0.5)],
)
def test_no_accuracy_is_less_than_nothing(name, least):
    """R² may be, and so may a mean with it."""
    assert least == read_goal(name).shown_score(-0.5)
    assert 0.7 == read_goal(name).shown_score(0.7)


def test_labels_are_judged_one_by_one():
    """1 − the Hamming loss, and the log loss of each label."""
    outputs, targets = example("labels")
    scores = read_goal("labels").scores(torch.from_numpy(outputs), torch.from_numpy(targets))
    chances = 1 / (1 + np.exp(-outputs))
    assert 1 - hamming_loss(targets, outputs > 0) == pytest.approx(scores["val_accuracy"])
    each = np.mean([log_loss(targets[:, k], chances[:, k], labels=[0, 1]) for k in range(3)])
    assert each == pytest.approx(scores["val_loss"], rel=1e-5)


def test_perplexity_is_the_exponential_of_the_cross_entropy():
    """Over all tokens of all windows."""
    outputs, targets = map(torch.from_numpy, example("tokens"))
    expected = functional.cross_entropy(outputs.reshape(-1, 6), targets.reshape(-1)).exp().item()
    assert expected == pytest.approx(read_goal("tokens").scores(outputs, targets)["val_perplexity"], rel=1e-5)


def test_several_things_are_judged_each_by_its_own():
    """The loss is the sum of a cross-entropy and a squared error, the score the mean of an accuracy and R²."""
    outputs, targets = example("several(3,1)")
    scores = read_goal("several(3,1)").scores(torch.from_numpy(outputs), torch.from_numpy(targets))
    classes, number = targets[:, 0].astype(int), targets[:, 1]
    right = (outputs[:, :3].argmax(1) == classes).mean()
    assert (right + r2_score(number, outputs[:, 3])) / 2 == pytest.approx(scores["val_score"], rel=1e-5)
    loss = functional.cross_entropy(torch.from_numpy(outputs[:, :3]), torch.from_numpy(classes)).item()
    assert loss + ((outputs[:, 3] - number) ** 2).mean() == pytest.approx(scores["val_loss"], rel=1e-5)


def test_an_unknown_goal():
    """It is named."""
    with pytest.raises(InputError, match="no goal is called 'ranking'"):
        read_goal("ranking")


def test_weights_are_those_of_repeated_rows():
    """A row of weight 2 in a whole batch counts as if it stood there twice."""
    X, y = RNG.normal(size=(6, 3)).astype(np.float32), np.array([0, 1, 0, 1, 0, 1])
    recipe = Recipe(epochs=5, batch_size=64, lr=0.1, weight_decay=0.0, schedule="constant", momentum=0.0)
    torch.manual_seed(0)
    one = torch.nn.Linear(3, 2)
    two = torch.nn.Linear(3, 2)
    two.load_state_dict(one.state_dict())
    fit(one, X, y, recipe, weights=np.array([1, 1, 1, 1, 1, 2.0]))
    places = [0, 1, 2, 3, 4, 5, 5]
    fit(two, X[places], y[places], recipe)
    assert torch.allclose(one.weight, two.weight, atol=1e-6)


@pytest.mark.parametrize("weights", [np.ones(3), -np.ones(6), np.zeros(6)])
def test_weights_that_do_not_fit(weights):
    """Of another length, negative, or all zero."""
    X, y = np.zeros((6, 3), np.float32), np.array([0, 1, 0, 1, 0, 1])
    with pytest.raises(InputError, match="weights are 6 numbers of at least 0 and not all 0"):
        fit(torch.nn.Linear(3, 2), X, y, Recipe(epochs=1), weights=weights)


@pytest.mark.parametrize("name", ["labels", "tokens", "forecast"])
def test_data_of_every_goal_travel(name, tmp_path):
    """Saved and loaded they are the same, with facts and weights."""
    _, targets = example(name)
    classes = {"labels": tuple("abc"), "tokens": tuple("abcdef"), "forecast": None}[name]
    X, weights = np.zeros((9, 5), np.float32), np.arange(9, dtype=np.float32)
    data = Data(X, targets, classes, goal=name, facts={"vocabulary": 6}, weights=weights)
    loaded = data.save(tmp_path / "data")
    assert (name, {"vocabulary": 6}, weights.tolist()) == (loaded.task, loaded.facts, loaded.weights.tolist())
    assert data.fingerprint == loaded.fingerprint
    assert loaded.subset(np.array([1, 2])).weights.tolist() == [1, 2]
