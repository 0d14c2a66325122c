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


def named(start: Mapping[str, Any]) -> str:
    return f"{start['network']} {start['values']}"


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    """Twelve steps back and four ahead, a covariate, no value below 0."""
    return SPACES["compact-forecast"].space(input_shape=(2, 16), outputs=4, season=3, positive=True)


def test_the_suite_of_spaces(space: SearchSpace) -> None:
    """Every sample builds, runs, survives JSON and moves by one decision."""
    check_space(space, samples=10)


@pytest.mark.parametrize("start", compact_forecast.FORECAST_STARTS, ids=named)
def test_starts_learn_and_are_written_out(space: SearchSpace, start: Mapping[str, Any]) -> None:
    """One of each kind: gradients reach the parameters, and the network is plain source."""
    network = space.build(start)
    network(torch.rand(4, 2, 16)).sum().backward()
    assert all(parameter.grad is not None for name, parameter in network.named_parameters() if "2.back" not in name)
    assert "class Network" in write_source(network.eval(), torch.zeros(2, 2, 16))


@pytest.mark.parametrize("center", ["last", "mean"])
def test_a_window_that_is_moved_moves_its_forecast(space: SearchSpace, center: str) -> None:
    """The level of a window is taken out and put back, so that it need not be learned."""
    network = space.build({**compact_forecast.FORECAST_STARTS[1], "center": center}).eval()
    x = torch.randn(3, 2, 16)
    moved = x.clone()
    moved[:, 0, :12] += 5.0
    torch.testing.assert_close(network(x) + 5.0, network(moved), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("start", compact_forecast.FORECAST_STARTS, ids=named)
def test_all_begin_as_the_naive_forecast(space: SearchSpace, start: Mapping[str, Any]) -> None:
    """Each step is what was there a season before, also by way of logarithms."""
    x = torch.rand(3, 2, 16)
    made = space.build(start).eval()(x)
    torch.testing.assert_close(x[:, 0, [9, 10, 11, 9]], made)


def test_half_of_what_is_learnt(space: SearchSpace) -> None:
    """What is written out is halfway between the naive forecast and what was trained."""
    network = space.build({**compact_forecast.FORECAST_STARTS[1], "shrink": "half"})
    torch.nn.init.normal_(network.network.layer.weight)
    x = torch.randn(3, 2, 16)
    trained = network.train()(x)
    torch.testing.assert_close(network.eval()(x), (trained + x[:, 0, [9, 10, 11, 9]]) / 2)
    assert "class Network" in write_source(network, torch.zeros(2, 2, 16))


def test_knots_are_joined_by_straight_lines() -> None:
    """From the first knot at the first step to the last at the last."""
    assert [0.0, 1.0, 2.0, 3.0, 4.0] == (torch.tensor([0.0, 2.0, 4.0]) @ compact_forecast._between(3, 5)).tolist()


def test_logarithms_are_for_values_that_are_not_negative(space: SearchSpace) -> None:
    """A series that grows by parts of itself goes on so: what is learnt of small values holds for large ones."""
    signed = SPACES["compact-forecast"].space(input_shape=(1, 16), outputs=4)
    assert "values" not in {decision.name for decision in signed.decisions}
    network = space.build({**compact_forecast.FORECAST_STARTS[0], "values": "logarithm", "center": "last"}).eval()
    torch.nn.init.normal_(network.network.weight, std=0.1)
    grown = 100.0 + 900.0 * torch.rand(3, 2, 16)
    torch.testing.assert_close(10.0 * network(grown), network(10.0 * grown), rtol=1e-2, atol=0.0)
    gone = network(torch.cat([-grown[:1], 1e-3 * grown[:1]]))
    assert bool(torch.isfinite(gone).all())


def test_what_is_below_zero_counts_as_zero() -> None:
    """Its logarithm is that of a tenth of the naive error, as is that of zero."""
    logarithms = compact_forecast.Logarithm()(torch.tensor([-5.0, 0.0, 0.9]))
    torch.testing.assert_close(torch.tensor([0.1, 0.1, 1.0]).log(), logarithms)


def test_a_forecast_stays_within_what_is_twenty_times_the_window() -> None:
    """A logarithm may be three above the highest of its own window; and what is below that is left alone."""
    window = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    made = compact_forecast.Logarithm().back(torch.tensor([[50.0, 2.0], [50.0, 2.0]]), window)
    torch.testing.assert_close(torch.tensor([[4.0, 2.0], [3.0, 2.0]]).exp() - 0.1, made)


def test_logarithms_deviate_less_where_values_are_large() -> None:
    """By a tenth of the naive error, of the mean of the window each."""
    window = torch.tensor([[1.0, 3.0], [100.0, 300.0]]).log()
    torch.testing.assert_close(torch.tensor([[0.05], [0.0005]]), compact_forecast.Logarithm().floor(window))


@pytest.mark.parametrize(("lookback", "horizon", "season"), [(12, 4, 3), (8, 6, 1), (7, 9, 7), (1, 2, 1)])
def test_simple_forecasts(lookback: int, horizon: int, season: int) -> None:
    """The first one is the naive forecast; all go on as a series does that never changes."""
    found = compact_forecast.simple_forecasts(lookback, horizon, season)
    window = torch.randn(lookback)
    naive = [window[lookback - season + step % season] for step in range(horizon)]
    assert torch.stack(naive).tolist() == (found[0] @ window).tolist()
    torch.testing.assert_close(found @ torch.ones(lookback), torch.ones(len(found), horizon))


def test_simple_forecasts_know_lines_and_seasons() -> None:
    """Of a straight line, and of one with a season on it, some say what comes next exactly."""
    steps = torch.arange(16.0)
    seasons = steps % 4 * torch.tensor(1.0) + 0.5 * (steps // 4)
    found = compact_forecast.simple_forecasts(12, 4, 4)
    for values in (steps, seasons):
        errors = (found @ values[:12] - values[12:]).abs().amax(1)
        assert float(errors.min()) < 1e-5
