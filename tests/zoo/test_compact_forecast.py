"""Compact networks for forecasts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch

from netwright.graphs.source import write_source
from netwright.space import SearchSpace
from netwright.testing import check_space
from netwright.zoo import SPACES, compact_forecast


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    """Twelve steps back and four ahead, a covariate."""
    return SPACES["compact-forecast"].space(input_shape=(2, 16), outputs=4, season=3)


def test_the_suite_of_spaces(space: SearchSpace) -> None:
    """Every sample builds, runs, survives JSON and moves by one decision."""
    check_space(space, samples=10)


@pytest.mark.parametrize("start", compact_forecast.FORECAST_STARTS, ids=lambda one: one["network"])
def test_starts_learn_and_are_written_out(space: SearchSpace, start: Mapping[str, Any]) -> None:
    """One of each kind: gradients reach the parameters, and the network is plain source."""
    network = space.build(start)
    network(torch.randn(4, 2, 16)).sum().backward()
    assert all(parameter.grad is not None for name, parameter in network.named_parameters() if "2.back" not in name)
    assert "class Network" in write_source(network.eval(), torch.zeros(2, 2, 16))


@pytest.mark.parametrize("center", ["last", "mean"])
def test_a_window_that_is_moved_moves_its_forecast(space: SearchSpace, center: str) -> None:
    """The level of a window is taken out and put back, so that it need not be learned."""
    network = space.build({**compact_forecast.FORECAST_STARTS[0], "center": center}).eval()
    x = torch.randn(3, 2, 16)
    moved = x.clone()
    moved[:, 0, :12] += 5.0
    torch.testing.assert_close(network(x) + 5.0, network(moved), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("start", compact_forecast.FORECAST_STARTS, ids=lambda one: one["network"])
def test_all_begin_as_the_naive_forecast(space: SearchSpace, start: Mapping[str, Any]) -> None:
    """Each step is what was there a season before."""
    x = torch.randn(3, 2, 16)
    made = space.build(start).eval()(x)
    torch.testing.assert_close(x[:, 0, [9, 10, 11, 9]], made)


def test_half_of_what_is_learnt(space: SearchSpace) -> None:
    """What is written out is halfway between the naive forecast and what was trained."""
    network = space.build({**compact_forecast.FORECAST_STARTS[0], "shrink": "half"})
    torch.nn.init.normal_(network.network.layer.weight)
    x = torch.randn(3, 2, 16)
    trained = network.train()(x)
    torch.testing.assert_close(network.eval()(x), (trained + x[:, 0, [9, 10, 11, 9]]) / 2)
    assert "class Network" in write_source(network, torch.zeros(2, 2, 16))


def test_knots_are_joined_by_straight_lines() -> None:
    """From the first knot at the first step to the last at the last."""
    assert [0.0, 1.0, 2.0, 3.0, 4.0] == (torch.tensor([0.0, 2.0, 4.0]) @ compact_forecast._between(3, 5)).tolist()
