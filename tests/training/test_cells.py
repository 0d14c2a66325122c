"""ScheduledDropPath and the auxiliary head, against the paper's formula, and that neither is left in the network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from netwright.errors import InputError
from netwright.training.cells import Auxiliary, ScheduledDropPath, cells_of
from netwright.training.loop import fit
from netwright.training.recipes import Recipe
from netwright.zoo import amoebanet, darts, nasnet
from netwright.zoo.enas import micro_space

SMALL: dict[str, Any] = {"input_shape": (1, 8, 8), "classes": 10, "channels": 4, "cells": 3}


class Doubling(nn.Module):
    """A cell of one path that doubles, and one that is nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.path, self.nothing = Doubled(), nn.Identity()

    def paths(self) -> list[nn.Module]:
        return [self.path, self.nothing]

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.path(self.nothing(x))
        return out


class Doubled(nn.Module):
    """Twice the input."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


def test_the_probability_is_the_papers():
    """rate · (place of the cell / cells) · (step / steps), for each of four cells."""
    paths = ScheduledDropPath(nn.Sequential(*(Doubling() for _ in range(4))), 0.4)
    paths.progress = 0.5
    assert [paths.probability(depth) for _, depth in paths.paths] == pytest.approx([0.05, 0.1, 0.15, 0.2])


def test_paths_are_dropped_as_often_as_that_and_the_rest_is_scaled():
    """Of 20,000 examples a share of 0.3 is nothing, the others are divided by 0.7; the mean stays what it was."""
    network = nn.Sequential(Doubling())
    paths = ScheduledDropPath(network, 0.3)
    torch.manual_seed(0)
    with paths.active():
        paths.progress = 1.0
        out = network(torch.ones(20_000, 1))
    assert sorted(out.unique().tolist()) == pytest.approx([0.0, 2 / 0.7])
    assert float((out == 0).float().mean()) == pytest.approx(0.3, abs=0.012)
    assert float(out.mean()) == pytest.approx(2.0, abs=0.03)


def test_nothing_is_dropped_at_the_first_step_in_evaluation_and_afterwards():
    """Where progress is 0, in evaluation mode, and when training is over."""
    network, x = nn.Sequential(Doubling()), torch.ones(100, 1)
    paths = ScheduledDropPath(network, 0.9)
    with paths.active():
        assert bool((network(x) == 2).all())
        paths.progress = 1.0
        assert bool((network.eval()(x) == 2).all())
    assert bool((network.train()(x) == 2).all())


@pytest.mark.parametrize(
    ("space", "cells", "most"),
    [(darts.space(**SMALL), 3, 24), (nasnet.space(**SMALL), 5, 50), (amoebanet.space(**SMALL), 5, 50),
     (micro_space(**SMALL), 5, 50)],
)  # fmt: skip
def test_spaces_of_cells_tell_their_paths(space, cells, most):
    """Every cell has its operations as paths, eight of DARTS's and ten of the others'; reduction cells count."""
    network = space.build(space.sample(np.random.default_rng(0)))
    assert len(cells_of(network)) == cells
    assert sum(len(cell.paths()) for cell in cells_of(network)) == most


def test_a_network_without_cells_is_refused():
    """By name, with what would help."""
    with pytest.raises(InputError, match="Linear has none"):
        ScheduledDropPath(nn.Linear(2, 2), 0.1)
    with pytest.raises(InputError, match="Linear has none"):
        Auxiliary(nn.Linear(2, 2), torch.zeros(1, 2))


def test_training_with_both_leaves_the_plain_network():
    """The names of the weights are those of the space's network, it learns, and training is the same by its seed."""
    space = darts.space(**SMALL)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(64, 1, 8, 8)).astype(np.float32), rng.integers(0, 10, 64)
    recipe = Recipe(epochs=2, batch_size=32, drop_path=0.2, auxiliary=0.4)
    states = []
    for _ in range(2):
        torch.manual_seed(0)
        network = space.build(darts.DARTS_V2)
        fit(network, X, y, recipe, seed=3)
        states.append(network.state_dict())
    assert list(states[0]) == list(space.build(darts.DARTS_V2).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_the_auxiliary_loss_reaches_the_first_cells_alone():
    """Its head stands after cell ⌊2/3·cells⌋: what comes later has no gradient from it."""
    space = darts.space(**{**SMALL, "cells": 6})
    network = space.build(darts.DARTS_V2)
    second = Auxiliary(network.eval(), torch.zeros(2, 1, 8, 8))
    network.train()
    with second.active():
        network(torch.randn(4, 1, 8, 8))
        second().sum().backward()
    cells = cells_of(network)
    assert second.cell is cells[4]
    assert any(p.grad is not None for p in cells[0].parameters())
    assert all(p.grad is None for p in cells[5].parameters())


def test_the_whole_loss_is_the_sum_with_the_weight():
    """At a first step without a learning rate to speak of: the loss of both heads, the second weighed."""
    space = darts.space(**SMALL)
    X = torch.randn(32, 1, 8, 8)
    y = torch.arange(32) % 10
    losses = []
    for weight in (1e-9, 0.4, 0.8):
        torch.manual_seed(0)
        network = space.build(darts.DARTS_V2)
        recipe = Recipe(epochs=1, batch_size=32, lr=1e-12, auxiliary=weight)
        losses.append(fit(network, X, y, recipe, seed=0).metrics["train_loss"])
    assert losses[2] - losses[0] == pytest.approx(2 * (losses[1] - losses[0]), rel=1e-3)
    assert losses[1] > losses[0] + 0.4
