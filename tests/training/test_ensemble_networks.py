"""Ensembles of trained networks: their answers against numbers by hand, their selection against enumeration."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
import pytest
import torch
from torch import nn

from netwright.errors import InputError
from netwright.training.ensembles import Ensemble, choose, combine, mixed
from netwright.training.goals import read_goal


def test_probabilities_of_classes_are_averaged():
    """The softmax of an ensemble's answer is the weighted mean of its members' softmax."""
    a, b = torch.randn(5, 3), torch.randn(5, 3)
    answer = combine([a, b], [0.75, 0.25], read_goal("classification"))
    torch.testing.assert_close(answer.softmax(1), 0.75 * a.softmax(1) + 0.25 * b.softmax(1))


def test_probabilities_of_labels_are_averaged():
    """The sigmoid of the answer is the mean of the members' sigmoid, also where one is nearly sure."""
    a, b = torch.tensor([[2.0, 30.0]]), torch.tensor([[-1.0, 30.0]])
    answer = combine([a, b], [0.5, 0.5], read_goal("labels"))
    torch.testing.assert_close(answer.sigmoid()[:, 0], 0.5 * (a.sigmoid() + b.sigmoid())[:, 0])
    assert float(answer[0, 1]) == pytest.approx(30.0, abs=1e-3)


@pytest.mark.parametrize("goal", ["regression", "forecast"])
def test_numbers_are_averaged_as_they_are(goal):
    """Numbers have the mean."""
    answer = combine([torch.tensor([[1.0]]), torch.tensor([[4.0]])], [2 / 3, 1 / 3], read_goal(goal))
    assert float(answer) == pytest.approx(2.0)


def test_of_several_heads_each_is_averaged_in_its_own_way():
    """Classes by their probabilities, the number beside them as it is."""
    a, b = torch.randn(4, 4), torch.randn(4, 4)
    answer = combine([a, b], [0.5, 0.5], read_goal("several(3,1)"))
    torch.testing.assert_close(answer[:, :3].softmax(1), (a[:, :3].softmax(1) + b[:, :3].softmax(1)) / 2)
    torch.testing.assert_close(answer[:, 3], (a[:, 3] + b[:, 3]) / 2)


def test_a_sure_error_stays_finite():
    """A class that all members call impossible has a finite score."""
    sure = torch.tensor([[200.0, -200.0]])
    assert torch.isfinite(combine([sure, sure], [0.5, 0.5], read_goal("classification"))).all()


def test_the_first_choice_is_the_best_candidate_and_the_ensemble_is_no_worse():
    """One member is the candidate with the least loss; more are never worse on the data that chose them."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 40)
    outputs = [np.eye(3)[y] * rng.random() * 2 + rng.normal(size=(40, 3)) for _ in range(5)]
    goal = read_goal("classification")
    losses = [float(goal.loss(torch.from_numpy(each), torch.from_numpy(y))) for each in outputs]
    one, many = choose(outputs, y, goal, 1), choose(outputs, y, goal, 10)
    assert one.counts.index(1) == int(np.argmin(losses))
    assert many.loss <= many.single == pytest.approx(min(losses))


def test_the_choice_of_two_is_the_best_pair_with_the_best_candidate():
    """Against enumeration: of all pairs that hold the best candidate, or it alone, the one with the least loss."""
    rng = np.random.default_rng(1)
    y = rng.normal(size=(30, 1)).astype(np.float32)
    outputs = [y + rng.normal(size=(30, 1)) for _ in range(6)]
    found = choose(outputs, y, read_goal("regression"), 2)
    first = int(np.argmin([np.mean((each - y) ** 2) for each in outputs]))
    pairs = [pair for pair in combinations_with_replacement(range(6), 2) if first in pair]
    least = min(float(np.mean((outputs[a] / 2 + outputs[b] / 2 - y) ** 2)) for a, b in pairs)
    assert found.loss == pytest.approx(least)


def test_the_loss_of_a_choice_is_that_of_its_mixture():
    """The counts, mixed again, give the loss that was told, for every goal with a mean."""
    rng = np.random.default_rng(2)
    targets = {
        "classification": rng.integers(0, 3, 20),
        "labels": rng.integers(0, 2, (20, 3)).astype(np.float32),
        "forecast": rng.normal(size=(20, 3)).astype(np.float32),
        "several(2,1)": np.stack([rng.integers(0, 2, 20), rng.normal(size=20)], 1).astype(np.float32),
    }
    for name, y in targets.items():
        outputs = [rng.normal(size=(20, 3)) for _ in range(4)]
        found = choose(outputs, y, read_goal(name), 6)
        answer = torch.from_numpy(mixed(outputs, found.counts, read_goal(name)))
        assert float(read_goal(name).loss(answer, torch.from_numpy(y))) == pytest.approx(found.loss)


def test_a_member_that_counts_twice_has_twice_the_share():
    """Counts are shares of the mean."""
    one, two = nn.Linear(2, 1), nn.Linear(2, 1)
    x = torch.randn(3, 2)
    answer = Ensemble([one, two], [2, 1], read_goal("regression"))(x)
    torch.testing.assert_close(answer, (2 * one(x) + two(x)) / 3)


def test_language_models_are_refused():
    """Probabilities of all tokens at all places are not averaged, and the error says so."""
    with pytest.raises(InputError, match="language models are not averaged"):
        Ensemble([nn.Identity()], [1], read_goal("tokens"))
