"""What a network does, as a list of kernels."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import nn

from netwright import zoo
from netwright.costs import macs
from netwright.costs.kernels import KINDS, Kernel, kernels_of

IMAGE = torch.zeros(1, 4, 8, 8)


class Residual(nn.Module):
    """Adds its input to what it makes of it, in place or not."""

    def __init__(self, inplace: bool) -> None:
        super().__init__()
        self.conv, self.norm, self.relu = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace)

    def forward(self, x):
        return self.relu(self.norm(self.conv(x)) + x)


class Shuffle(nn.Module):
    """Views between two convolutions, the last of them a copy."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3, groups=4)

    def forward(self, x):
        y = self.one(x)
        return self.two(y.view(1, 2, 2, 8, 8).transpose(1, 2).reshape(1, 4, 8, 8))


class Values(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 3)

    def forward(self, x):
        return self.linear(x) if float(x.sum()) > -1e9 else x


def operators(network: nn.Module, example: torch.Tensor) -> list[str]:
    """Of each kernel, in words."""
    return sorted(str(kernel).split(" on ")[0] for kernel in kernels_of(network.eval(), example).elements())


@pytest.mark.parametrize(
    ("network", "example", "expected"),
    [
        (nn.Sequential(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.ReLU6()), IMAGE,
         ["convolution native_batch_norm hardtanh"]),
        (nn.Sequential(nn.Conv2d(4, 8, 3), nn.Hardswish(), nn.MaxPool2d(2)), IMAGE,
         ["convolution hardswish", "max_pool2d_with_indices"]),
        (Residual(False), IMAGE, ["convolution native_batch_norm add relu"]),
        (Residual(True), IMAGE, ["convolution native_batch_norm add relu"]),
        (Shuffle(), IMAGE, ["convolution", "convolution view transpose clone _unsafe_view"]),
        (nn.Sequential(nn.Linear(8, 4), nn.Dropout(), nn.GELU()), torch.zeros(1, 8), ["t addmm gelu"]),
        (Values(), torch.zeros(1, 8), ["sum", "t addmm"]),
    ],
)  # fmt: skip
def test_what_follows_at_once_goes_along(network: nn.Module, example: torch.Tensor, expected: list[str]) -> None:
    """Norms, activations, sums and copies; what happens in place is what happens otherwise."""
    assert expected == operators(network, example)


@pytest.mark.parametrize("name", ["compact-images", "nasbench201", "ofa", "darts"])
def test_kernels_made_again_do_what_they_did(name: str) -> None:
    """They run, with outputs of the same shape, and together they multiply as often as the network."""
    import numpy as np

    space = zoo.SPACES[name].space(input_shape=(3, 32, 32), classes=10)
    network = space.build(space.sample(np.random.default_rng(0))).to("meta")
    counts = kernels_of(network, torch.empty(1, 3, 32, 32, device="meta"))
    assert macs(network, torch.empty(1, 3, 32, 32, device="meta")) == sum(k.products * n for k, n in counts.items()) / 2
    with torch.inference_mode():
        for kernel in counts:
            made, inputs = kernel.network()
            assert kernel.output == (tuple(made(*inputs).shape), "float32")


def test_kernels_compute_what_their_network_does() -> None:
    """The one of a convolution, norm, sum and ReLU gives the numbers of the layers that it is made of."""
    torch.manual_seed(0)
    network = Residual(False).eval()
    network.norm.running_mean.uniform_()
    (kernel,) = kernels_of(network, IMAGE)
    made, _ = kernel.network()
    held = [network.conv.weight, network.conv.bias, network.norm.weight, network.norm.bias,
            network.norm.running_mean, network.norm.running_var]  # fmt: skip
    for place, value in enumerate(held):
        setattr(made, f"p{place}", value.detach())
    x = torch.randn(1, 4, 8, 8)
    with torch.inference_mode():
        assert torch.allclose(network(x), made(x, x), atol=1e-6)


def test_equal_work_is_one_kernel() -> None:
    """Whatever the weights are; another size, or an input that is given twice, is another kernel."""
    row = nn.Sequential(*(nn.Conv2d(4, 4, 3, padding=1) for _ in range(3)), nn.Conv2d(4, 4, 5))
    assert [1, 3] == sorted(kernels_of(row, IMAGE).values())


def test_batches_are_others() -> None:
    """Of four examples at once."""
    (kernel,) = kernels_of(nn.Conv2d(4, 8, 3), IMAGE, batch=4)
    assert (((4, 4, 8, 8), "float32"),) == kernel.inputs
    assert (2 * 4 * 36 * 8 * 4 * 9, (4, 8, 6, 6)) == (kernel.products, kernel.output[0])


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (nn.Conv2d(4, 8, 3), "convolution"),
        (nn.Conv2d(4, 8, 1), "1x1 convolution"),
        (nn.Conv2d(4, 4, 3, groups=4), "depthwise convolution"),
        (nn.Conv2d(4, 4, 3, groups=2), "convolution"),
        (nn.Linear(8, 3), "product"),
        (nn.AvgPool2d(2), "other"),
    ],
)
def test_kinds(layer: nn.Module, kind: str) -> None:
    """By what it mainly does."""
    (kernel,) = kernels_of(layer, IMAGE)
    assert kind == kernel.kind
    assert kind in KINDS


def test_kernels_are_kept_as_json() -> None:
    """And are the same again; what was changed is refused."""
    counts = kernels_of(nn.Sequential(nn.Conv2d(4, 8, 3), nn.Hardtanh(-float("inf"), 2.0)), IMAGE)
    (kernel,) = counts
    assert Counter({Kernel.from_value(kernel.to_value()): 1}) == counts
    with pytest.raises(ValueError, match="is not what it was"):
        Kernel.from_value({**kernel.to_value(), "parameters": []})
    assert kernel.network()[0](IMAGE).max() <= 2


def test_reading_leaves_the_network_alone() -> None:
    """Modes and the generator are as before."""
    network, state = nn.Sequential(nn.Linear(8, 8), nn.Dropout()), torch.get_rng_state()
    kernels_of(network, torch.zeros(1, 8))
    assert network.training
    assert torch.equal(state, torch.get_rng_state())
