"""Many small networks as ONNX models in one go, each compared with its network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from netwright.errors import CheckError

pytest.importorskip("onnxruntime")

from netwright.graphs import OnnxSession
from netwright.graphs.onnx_parts import onnx_parts


class Nothing(nn.Module):
    """Answers with zeros, whatever it is given."""

    def forward(self, x):
        return x * 0


class Constant(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("value", torch.arange(3.0))

    def forward(self, x):
        return self.value + 1


class Same(nn.Module):
    def forward(self, x):
        return x


class Both(nn.Module):
    """Two inputs."""

    def forward(self, x, y):
        return x @ y


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).eval()


NETWORKS = [
    (network(), (torch.randn(1, 2, 6, 6),)),
    (network(), (torch.randn(3, 2, 8, 5),)),
    (Both(), (torch.randn(2, 3), torch.randn(3, 4))),
    (Nothing(), (torch.randn(2, 3),)),
    (Constant(), (torch.randn(2, 3),)),
    (Same(), (torch.randn(2, 3),)),
]


@pytest.mark.parametrize("copies", [1, 3])
def test_each_part_answers_as_its_network(copies: int) -> None:
    """Each copy with inputs of its own; also what is always the same, or the input itself."""
    models = onnx_parts(NETWORKS, [copies] * len(NETWORKS))
    for model, (made, inputs) in zip(models, NETWORKS, strict=True):
        session = OnnxSession(model)
        given = [tuple(value + copy for value in inputs) for copy in range(copies)]
        flat = [value.numpy() for row in given for value in row][: len(session.names)]
        with torch.no_grad():
            expected = [made(*row).numpy() for row in given]
        for one, other in zip(expected, session(*flat), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_what_cannot_be_followed_is_refused() -> None:
    """In words of the exporter's."""

    class Branching(nn.Module):
        def forward(self, x):
            return x if float(x.sum()) > 0 else -x

    with pytest.raises(CheckError, match="a part of a network has no ONNX model"):
        onnx_parts([(Branching(), (torch.ones(1),))])
