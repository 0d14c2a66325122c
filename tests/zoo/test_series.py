"""Inception, residual, causal and recurrent networks for time series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch

from netwright.graphs.source import write_source
from netwright.space import SearchSpace
from netwright.supernet import Supernet
from netwright.testing import check_space
from netwright.zoo import series


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    """For two channels of twelve steps, and three outputs."""
    return series.space(input_shape=(2, 12), outputs=3)


def test_the_suite_of_spaces(space: SearchSpace) -> None:
    """Every sample builds, runs on series, survives JSON and moves by one decision."""
    check_space(space, samples=10)


def test_the_number_of_networks(space: SearchSpace) -> None:
    """Residual, causal, recurrent and inception networks and random kernels, at three learning rates."""
    residual, causal, recurrent, inception = 4 * (3**2 + 3**3 + 3**4), 4 * 3 * 3 * 8, 4 * 3 * 3, 4 * 3 * 3 * 3 * 2
    kernels = 4 * 2
    assert 3 * (residual + causal + recurrent + inception + kernels) == int(space.size)


def test_parameters_of_the_published_network_by_hand() -> None:
    """One channel and two classes: nine convolutions with biases, two around, twelve norms, a linear layer."""
    network = series.space(input_shape=(1, 96), outputs=2).build(series.WANG_RESNET)
    convolutions = 0
    for inputs, outputs in ((1, 64), (64, 128), (128, 128)):
        convolutions += outputs * (8 * inputs + 1) + outputs * (5 * outputs + 1) + outputs * (3 * outputs + 1)
    around = (64 + 64) + (64 * 128 + 128)
    norms = 2 * (4 * 64 + 4 * 128 + 4 * 128)
    assert convolutions + around + norms + 258 == sum(parameter.numel() for parameter in network.parameters())


def test_parameters_of_the_inception_network_by_hand() -> None:
    """One channel: the first block has no bottleneck, the others narrow 128 channels to 32."""
    network = series.space(input_shape=(1, 96), outputs=2).build(series.INCEPTION)
    kernels = 40 + 20 + 10
    first = 32 * kernels + 32
    other = 128 * 32 + 32 * 32 * kernels + 128 * 32
    around = (128 + 128 + 256) + (128 * 128 + 128 + 256)
    counted = first + 5 * other + 6 * 256 + around + 258
    assert counted == sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("kernel", [3, 8])
def test_the_length_is_kept(kernel: int) -> None:
    """By odd kernels and even ones."""
    assert (2, 4, 11) == series.SameConv(1, 4, kernel)(torch.zeros(2, 1, 11)).shape


def test_a_causal_block_sees_the_past_alone() -> None:
    """Another last step changes the last output alone."""
    block = series.CausalBlock(2, 4, 3, 2, 0.0).eval()
    x = torch.randn(1, 2, 9)
    other = x.clone()
    other[:, :, -1] += 1.0
    torch.testing.assert_close(block(x)[:, :, :-1], block(other)[:, :, :-1])
    assert not torch.allclose(block(x)[:, :, -1], block(other)[:, :, -1])


@pytest.mark.parametrize("start", series.SERIES_STARTS, ids=lambda one: one["network"])
def test_starts_learn_and_are_written_out(space: SearchSpace, start: Mapping[str, Any]) -> None:
    """One of each kind: every parameter that is trained has a gradient, and the network is plain source."""
    assert start in space
    network = space.build(start)
    network(torch.randn(4, 2, 12)).sum().backward()
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    assert trained
    assert all(parameter.grad is not None for parameter in trained)
    assert "class Network" in write_source(network.eval(), torch.zeros(2, 2, 12))


def test_a_supernet_shares_the_space(space: SearchSpace) -> None:
    """By slices and switches: what is extracted gives what the supernet gives."""
    supernet = Supernet(space).eval()
    x = torch.randn(4, 2, 12)
    for start in series.SERIES_STARTS:
        assert torch.equal(supernet.at(start)(x), supernet.extract(start)(x))


def test_random_kernels_say_the_maximum_and_the_share_of_positive_values() -> None:
    """By hand on one series; the kernels stay as drawn, each channel of a kernel has mean 0, few channels are seen."""
    torch.manual_seed(0)
    kernels = series.RandomKernels(3, 64, 9, 2)
    x = torch.randn(1, 3, 40)
    weight, bias = kernels.conv.weight, kernels.conv.bias
    assert bias is not None
    padded = torch.nn.functional.pad(x[0], (8, 8))
    for kernel in (0, 17, 63):
        answers = torch.stack([(padded[:, t : t + 17 : 2] * weight[kernel]).sum() + bias[kernel] for t in range(40)])
        said = kernels(x)[0]
        assert said[kernel].item() == pytest.approx(answers.max().item(), abs=1e-5)
        assert said[64 + kernel].item() == pytest.approx((answers > 0).float().mean().item(), abs=1e-6)
    assert weight.mean(2).abs().max() < 1e-6
    assert not any(each.requires_grad for each in kernels.parameters())
    seen = (weight.abs().sum(2) > 0).sum(1)
    assert set(seen.tolist()) == {1, 2, 3}
    assert (seen == 1).sum() > (seen == 3).sum()
