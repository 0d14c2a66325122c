"""Distillation: the loss by hand, and that a network comes nearer to its teacher."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from netwright.errors import InputError
from netwright.training.distillation import Teacher
from netwright.training.loop import fit, predict
from netwright.training.recipes import Recipe


def line(inputs, outputs, seed):
    torch.manual_seed(seed)
    return nn.Linear(inputs, outputs)


def test_the_lesson_of_classes_by_hand():
    """T² Σ p log(p / q) over the mean of the batch, with probabilities at temperature T; mixed with the loss."""
    teacher, learner, x = line(4, 3, 0), line(4, 3, 1), torch.randn(5, 4)
    outputs = learner(x)
    p, q = (each.div(2.0).softmax(1) for each in (teacher(x), outputs))
    divergence = (p * (p / q).log()).sum(1).mean() * 4
    found = Teacher(teacher, 0.3, 2.0).mixed(torch.tensor(1.5), outputs, x, torch.zeros(5, dtype=torch.long))
    assert float(found.detach()) == pytest.approx(float(0.7 * 1.5 + 0.3 * divergence.detach()), rel=1e-5)


def test_the_lesson_of_numbers_by_hand():
    """The mean squared difference of the outputs."""
    teacher, learner, x = line(4, 1, 0), line(4, 1, 1), torch.randn(5, 4)
    outputs = learner(x)
    found = Teacher(teacher, 1.0).mixed(torch.tensor(9.0), outputs, x, torch.zeros(5))
    assert float(found.detach()) == pytest.approx(float((outputs - teacher(x)).detach().square().mean()))


def test_the_teacher_stays_as_it_is():
    """Neither its weights nor its mode nor what of it learns is changed; no gradient reaches it."""
    teacher = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)).train()
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    learner, x = line(4, 3, 1), torch.randn(5, 4)
    Teacher(teacher).mixed(torch.tensor(0.0), learner(x), x, torch.zeros(5, dtype=torch.long)).backward()
    assert teacher.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in teacher.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in teacher.state_dict().items())


def test_a_learner_comes_to_answer_as_its_teacher():
    """On labels that say nothing it ends nearer to the teacher's answers than without one."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(256, 4)).astype(np.float32), rng.integers(0, 3, 256)
    teacher, recipe = line(4, 3, 0), Recipe(epochs=10, batch_size=32)
    said = torch.from_numpy(predict(teacher, X)).argmax(1).numpy()
    agreed = []
    for one in (Teacher(teacher, 0.9), None):
        learner = line(4, 3, 1)
        fit(learner, X, y, recipe, teacher=one)
        agreed.append((predict(learner, X).argmax(1) == said).mean())
    assert agreed[0] > 0.95 > agreed[1]


@pytest.mark.parametrize("arguments", [{"weight": 1.5}, {"weight": -0.1}, {"temperature": 0.0}])
def test_what_is_no_weight_or_temperature_is_refused(arguments):
    """By its name."""
    with pytest.raises(InputError, match=next(iter(arguments))):
        Teacher(line(4, 3, 0), **arguments)
