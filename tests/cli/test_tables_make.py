"""``netwright tables make``: a table from one command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netwright.evaluators.tables import open_table

NETWORK = """
import netwright as nw
from torch import nn

class Net(nn.Module):
    same = staticmethod(lambda architecture: architecture["width"])

    def __init__(self, input_shape, classes):
        super().__init__()
        width = nw.choose("width", 2, 4)
        self.body = nn.Sequential(
            nn.Linear(input_shape[0], width), nn.ReLU(), nw.one_of("again", none=nn.Identity, relu=nn.ReLU),
            nn.Linear(width, classes),
        )

    def forward(self, x):
        return self.body(x)
"""


@pytest.mark.slow
def test_a_table_is_made_by_one_command(netwright: Callable[..., Any], tmp_path: Path) -> None:
    """Of a network in a file, on data by name; what is one function, by its ``same``, is trained once."""
    (tmp_path / "net.py").write_text(NETWORK)
    out = tmp_path / "cells.npz"
    arguments = ["--epochs", "1,2", "--seeds", "1", "--jobs", "1", "--out", str(out), "--json"]
    ran = netwright("tables", "make", f"{tmp_path / 'net.py'}:Net", "iris", *arguments)
    assert 0 == ran.code, ran.err
    answer = json.loads(ran.out)
    assert (str(out), 4, "iris") == (answer["out"], answer["architectures"], answer["about"]["data"])
    assert answer["about"]["functions"].startswith("2 trained, 0 failed")
    assert answer["about"]["training"].startswith("60 examples")
    table = open_table(out)
    assert (4, 1) == table.column("test_accuracy@2").values.shape
    assert 2 == len(set(table.column("train_loss@2").mean))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("digits-cells", "digits", "--epochs", "1;2"), "--epochs is numbers with commas between, found '1;2'"),
        (("digits-cells", "digits", "--epochs", "0"), "epochs are whole numbers of at least 1"),
        (("digit-cells", "digits", "--epochs", "1"), "unknown space 'digit-cells'. Did you mean 'digits-cells'?"),
        (("digits-cells", "iris", "--epochs", "1"), "the space 'digits-cells' is for images, the data are tables"),
        (("compact-images", "digits", "--epochs", "1"), "a table at most 100,000"),
    ],
)
def test_nonsense_ends_in_one_line(
    netwright: Callable[..., Any], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    """With exit code 2, and nothing is left behind."""
    ran = netwright("tables", "make", *arguments, "--out", str(tmp_path / "t.npz"))
    assert (2, "") == (ran.code, ran.out)
    assert message in ran.err
    assert 1 == len(ran.err.splitlines())
    assert [] == list(tmp_path.iterdir())
