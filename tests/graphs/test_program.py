"""A program of torch.export equals its network and takes any batch."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from netwright.errors import CheckError
from netwright.graphs import write_program

from .networks import Residual


def test_program_equals_the_network(tmp_path: Path) -> None:
    """It is read back with other batches than it was written with; the network keeps its mode."""
    network, x = Residual().train(), torch.randn(5, 1, 8, 8)
    write_program(network, x[:1], tmp_path / "net.pt2")
    assert network.training
    with torch.no_grad():
        found = torch.export.load(tmp_path / "net.pt2").module()(x)
        torch.testing.assert_close(found, network.eval()(x), rtol=0, atol=1e-6)
    assert [path.name for path in tmp_path.iterdir()] == ["net.pt2"]
    with zipfile.ZipFile(tmp_path / "net.pt2") as archive:
        assert not [name for name in archive.namelist() if b".py" in archive.read(name)]


class Branching(nn.Module):
    def forward(self, x):
        return x if x.mean() > 0 else -x


def test_branches_on_values_are_refused(tmp_path: Path) -> None:
    """The message names the line, and nothing is left in the folder."""
    with pytest.raises(CheckError, match=r"test_program\.py:\d+: `return x if x\.mean\(\) > 0 else -x`"):
        write_program(Branching(), torch.randn(2, 3), tmp_path / "net.pt2")
    assert list(tmp_path.iterdir()) == []
