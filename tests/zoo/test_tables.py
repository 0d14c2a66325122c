"""The space for tables: its encodings of numbers against their definitions, and what becomes of its networks."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
import torch

import netwright as nw
from netwright.zoo.tables import TABLES_STARTS, Periodic, PiecewiseLinear, RankToNormal, Tables

EDGES = [[-2.0, -1.0, 0.0, 3.0], [0.0, 1.0], [-1.0, 0.5, 1.0]]
"""Three columns of numbers, the second with two values; features beyond are categories."""


def space() -> nw.SearchSpace:
    return nw.SearchSpace(Tables, input_shape=(5,), outputs=2, edges=EDGES)


def test_piecewise_linear() -> None:
    """Equation 1 of the paper, part by part, for the columns of more than two values."""
    x = torch.tensor([[-1.5, 1.0, 0.75, 1.0, 0.0], [9.0, 0.0, -9.0, 0.0, 1.0]])
    encoded = PiecewiseLinear(EDGES)(x)
    torch.testing.assert_close(encoded[:, :5], x)
    torch.testing.assert_close(encoded[:, 5:], torch.tensor([[0.5, 0, 0, 1, 0.5], [1.0, 1, 1, 0, 0]]))


def test_ranks() -> None:
    """An edge is the normal quantile of its rank; half of a part is half of the way; two values stay as they are."""
    quantiles = [NormalDist().inv_cdf((rank + 0.5) / 4) for rank in range(4)]
    x = torch.tensor([[value, 1.0, 0.5, 1.0, 0.0] for value in (*EDGES[0], 1.5, 99.0)])
    ranked = RankToNormal(5, EDGES)(x)
    torch.testing.assert_close(ranked[:, :3], x[:, [1, 3, 4]])
    expected = [*quantiles, (quantiles[2] + quantiles[3]) / 2, quantiles[3]]
    torch.testing.assert_close(ranked[:, 3], torch.tensor(expected))
    torch.testing.assert_close(ranked[:, 4], torch.zeros(6), atol=1e-6, rtol=0)


def test_periodic() -> None:
    """Sines and cosines of 2π times a frequency times the number."""
    layer = Periodic(3, 0.2)
    x = torch.randn(4, 5)
    encoded = layer(x).detach().numpy()
    angles = 2 * np.pi * x[:, :3].numpy()[:, :, None] * layer.frequencies.weight.detach().numpy()
    np.testing.assert_allclose(encoded[:, 5:29], np.sin(angles).reshape(4, -1), atol=1e-5)
    np.testing.assert_allclose(encoded[:, 29:], np.cos(angles).reshape(4, -1), atol=1e-5)


def test_edges_make_the_decision() -> None:
    """Without edges, or with columns of two values alone, there is nothing to encode."""
    names = [{decision.name for decision in each.decisions} for each in (
        space(), nw.SearchSpace(Tables, input_shape=(5,), outputs=2),
        nw.SearchSpace(Tables, input_shape=(5,), outputs=2, edges=[[0.0, 1.0]]),
    )]  # fmt: skip
    assert ["numbers" in each for each in names] == [True, False, False]


@pytest.mark.parametrize("start", TABLES_STARTS, ids=["piecewise", "plain", "residual", "ranks"])
def test_starts_are_of_the_space(start: dict[str, object]) -> None:
    """The known-good starts build and answer, and all that they say is asked."""
    architecture = space().complete(start, np.random.default_rng(0))
    assert {name: architecture[name] for name in start} == start
    assert space().build(architecture)(torch.randn(3, 5)).shape == (3, 2)
