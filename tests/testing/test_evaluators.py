"""The suite of evaluators, on right ones and on broken ones."""

import numpy as np
import pytest
import torch

from netwright.testing import check_evaluator, toy


@pytest.mark.parametrize("evaluator", [toy.sum_of_answers, toy.digest])
@pytest.mark.parametrize("space", toy.SPACES)
def test_toy_evaluators(evaluator, space):
    """The toy evaluators keep the contract on every toy space."""
    check_evaluator(evaluator, toy.SPACES[space](), expects=["score"])


def test_an_evaluator_that_trains():
    """A candidate's network gets the same numbers for the same seed, reports and all."""

    def train(candidate):
        X, y = map(torch.from_numpy, toy.blobs())
        network = candidate.network()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        for epoch in range(2):
            loss = torch.nn.functional.cross_entropy(network(X), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            candidate.report(epoch + 1, train_loss=loss.item())
        return {"accuracy": (network(X).argmax(1) == y).float().mean()}

    check_evaluator(train, expects=["accuracy"])


def reporting(*steps):
    def evaluator(candidate):
        for step in steps:
            candidate.report(step, loss=0.0)
        return {"score": 1.0}

    return evaluator


def failing(candidate):
    raise ValueError("no")


@pytest.mark.parametrize(
    ("evaluator", "sentence"),
    [
        (lambda candidate: 1.0, "its answer is a mapping of names to numbers, found float"),
        (lambda candidate: {}, "answers with no metric at all"),
        (lambda candidate: {"score": float("nan")}, "score=nan, a finite number"),
        (lambda candidate: {"score": True}, "score=True, a finite number"),
        (lambda candidate: {"score": "1"}, "score='1', a finite number"),
        (lambda candidate: {1: 1.0}, "has the name 1, names are strings"),
        (lambda candidate: {"loss": 1.0}, "answers without score, found loss"),
        (lambda candidate: {"score": np.random.default_rng().random()}, "the same candidate and seed got"),
        (reporting(2, 1), r"do not count upwards: steps \[2, 1\]"),
        (failing, "raised ValueError for .*: no"),
    ],
)
def test_a_broken_evaluator_is_caught(evaluator, sentence):
    """What it does wrong is said."""
    with pytest.raises(AssertionError, match=f"evaluator: .*{sentence}"):
        check_evaluator(evaluator, expects=["score"])


def test_blobs_can_be_told_apart():
    """The toy images are balanced and told apart by the side of their light."""
    X, y = toy.blobs(200)
    assert X.shape == (200, 1, 6, 6)
    assert (np.float32, np.int64) == (X.dtype, y.dtype)
    side = X[:, 0, :, 3:].sum((1, 2)) > X[:, 0, :, :3].sum((1, 2))
    assert (side == y).mean() > 0.98
    assert y.sum() == 100


def test_the_plane_is_linear():
    """The toy table's target is linear but for its noise."""
    X, y = toy.plane(200)
    residual = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
    assert residual.std() < 0.15
