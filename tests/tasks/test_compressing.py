"""Smaller networks from the one that was found."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.tasks.conftest import save
from torch import nn

from netwright import tasks
from netwright.errors import InputError
from netwright.export import load_network
from netwright.tasks.compressing import _Work, compress, table, without_channels
from netwright.tasks.picking import take
from netwright.testing.toy import blobs, plane

pytest.importorskip("torch_pruning")


class Residual(nn.Module):
    """A sum of two branches, whose channels have to go together."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1)
        self.left = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        answer: torch.Tensor = self.head((x + self.left(x)).mean((2, 3)))
        return answer


def test_the_least_channels_go_from_all_layers_that_share_them() -> None:
    """Half of eight in the stem, the branch and the head; those whose weights were near zero, and no output."""
    network = Residual()
    with torch.no_grad():
        for tensor in (network.stem.weight, network.left.weight, network.head.weight.t()):
            tensor[::2] *= 1e-3
        network.left.weight[:, ::2] *= 1e-3
    before = copy.deepcopy(network.state_dict())
    small = without_channels(network, torch.randn(2, 1, 6, 6), 0.5)
    assert torch.equal(before["stem.weight"][1::2], small.stem.weight)
    assert torch.equal(before["left.weight"][1::2, 1::2], small.left.weight)
    assert torch.equal(before["head.weight"][:, 1::2], small.head.weight)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_a_network_without_channels_to_spare_is_refused() -> None:
    """One layer from inputs to outputs has nothing to remove."""
    with pytest.raises(InputError, match="no channel of a Linear can be removed"):
        without_channels(nn.Linear(4, 3), torch.randn(2, 4), 0.5)


@pytest.fixture
def two(tmp_path: Path, quick: None) -> tasks.Outcome:
    """A search for accuracy and few parameters."""
    X, y = blobs(96)
    source = save(tmp_path / "spots.npz", X=X, y=y)
    return tasks.search(source, minimize="params", max_trials=5, n_jobs=1, out=tmp_path / "run")


def test_what_is_pruned_stands_beside_the_front_and_can_be_exported(
    two: tasks.Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fewer parameters than what was found, a package that runs, and the name that ``--pick`` takes.

    No accelerator is seeded for the one that is taught, whose generator nobody would put back.
    """
    seeded: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    found = compress(two.out, shares=(0.5,), picks=("fastest",), distill=True)
    # Finals have processes of their own, but for these tests, and begin with 1000.
    assert all(seed >= 1000 for seed in seeded)
    names = [one.name for one in found]
    assert ("found", "pruned-50") == (names[0], names[-1])
    assert set(names) <= {"found", "fastest", "fastest-taught", "pruned-50"}
    assert found[-1].costs["params"] < found[0].costs["params"]
    assert take(two.out, "pruned-50") == two.out / "compressed" / "pruned-50" == found[-1].folder
    network = load_network(found[-1].folder)
    assert found[-1].costs["params"] == sum(parameter.numel() for parameter in network.parameters())
    assert 1 + len(found) == len(table(found, "accuracy"))
    assert json.dumps([one.to_value() for one in found], allow_nan=False)
    assert all(one.costs["latency_ms"] > 0 for one in found)


def test_numbers_are_judged_in_their_own_unit(tmp_path: Path, quick: None) -> None:
    """The found network of a regression has the score here that the search printed for this training."""
    X, y = plane(96)
    source = save(tmp_path / "plane.npz", X=X, y=1000 + 50 * y)
    outcome = tasks.search(source, max_trials=3, n_jobs=1, out=tmp_path / "run")
    (found,) = compress(outcome.out, shares=(), picks=())
    assert found.score == pytest.approx(float(np.mean(outcome.winner.examples[0])), abs=1e-4)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, True])
def test_a_share_that_leaves_nothing_is_refused(tmp_path: Path, share: float) -> None:
    """Before anything is read."""
    with pytest.raises(InputError, match="a share of channels is a number between 0 and 1"):
        compress(tmp_path, shares=(share,))


def test_what_is_smaller_is_timed_where_the_search_timed(tmp_path: Path, quick: None) -> None:
    """On its runtime, not on the usual one."""
    X, y = blobs(96)
    source = save(tmp_path / "spots.npz", X=X, y=y)
    options: dict[str, Any] = {"minimize": "latency_ms", "on": "torch:1", "max_trials": 2, "n_jobs": 1}
    run = tasks.search(source, **options, out=tmp_path / "run")
    assert "measured here, torch:1" == run.where
    assert "torch:1" == _Work(run.out, run.out / "best", 0).latency.on
