"""A supernet laid out with channels last: mixtures are computed together, and give what they gave before."""

from __future__ import annotations

import copy

import cloudpickle
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

import netwright as nw
from netwright.supernet import Supernet, Way
from netwright.supernet.convolutions import (
    are_calm,
    has_holes,
    moments,
    normalized_projections,
    phases,
    unphased,
    weighted_sum,
    without_holes,
)
from netwright.supernet.relaxations import HardGumbel, Softmax
from netwright.zoo import darts, nasbench201

IMAGES = (3, 16, 16)
SPACES = {
    "darts": darts.space(input_shape=IMAGES, channels=4, cells=3),
    "nasbench201": nasbench201.space(input_shape=IMAGES, channels=4, cells=1),
}


def images(*shape, seed=0):
    """Numbers that are drawn, in double precision, with channels last."""
    drawn = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn.contiguous(memory_format=torch.channels_last) if len(shape) == 4 else drawn


def everything(space, relaxation, *, arranged):
    """Loss, gradients of weights and numbers, and statistics of one pass in training."""
    supernet = Supernet(space).double().train()
    if arranged:
        assert supernet.arrange(images(4, *IMAGES)) is torch.channels_last
    numbers = relaxation(supernet).double()
    with torch.no_grad():
        for row in numbers.alpha:
            row.copy_(torch.linspace(-1, 1, len(row)))
    network = supernet.mixed(numbers.ways(torch.Generator().manual_seed(1)))
    loss = functional.cross_entropy(network(images(4, *IMAGES)), torch.arange(4))
    loss.backward()
    found = {name: p.grad for part in (supernet, numbers) for name, p in part.named_parameters() if p.grad is not None}
    return {"loss": loss, **found, **dict(supernet.named_buffers())}


@pytest.mark.parametrize("relaxation", [Softmax, HardGumbel])
@pytest.mark.parametrize("space", SPACES)
def test_a_mixture_computed_together_is_the_plain_one(space, relaxation):
    """Outcome, all gradients and the statistics of all norms, to the last digits of double precision."""
    plain = everything(SPACES[space], relaxation, arranged=False)
    joined = everything(SPACES[space], relaxation, arranged=True)
    assert plain.keys() == joined.keys()
    for name, expected in plain.items():
        torch.testing.assert_close(joined[name], expected, rtol=1e-10, atol=1e-10, msg=name)


@pytest.mark.parametrize("space", SPACES)
def test_what_is_extracted_is_what_was_there_in_this_layout(space):
    """Bit for bit for inputs of the same layout, in both modes."""
    supernet = Supernet(SPACES[space])
    supernet.arrange(torch.randn(2, *IMAGES))
    x = torch.randn(4, *IMAGES)
    for seed in range(3):
        architecture = SPACES[space].sample(np.random.default_rng(seed))
        for training in (True, False):
            supernet.train(training)
            plain = supernet.extract(architecture)
            expected = plain(x.contiguous(memory_format=torch.channels_last))
            assert torch.equal(expected, supernet.at(architecture)(x))


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [12, 6])
def test_a_convolution_with_holes_is_done_without(kernel, stride, side):
    """The same outcome, of images larger and smaller than the kernel, and gradients that are right."""
    layer = nn.Conv2d(2, 2, kernel, stride, kernel - 1, 2, groups=2).double()
    x = images(2, 2, side, side).requires_grad_()

    def run(x, weight, bias):
        source = phases(x) if stride == 1 else x[:, :, ::2, ::2]
        outcome = torch.func.functional_call(Without(layer), {"layer.weight": weight, "layer.bias": bias}, source)
        return unphased(outcome) if stride == 1 else outcome

    assert has_holes(layer)
    torch.testing.assert_close(run(x, layer.weight, layer.bias), layer(x), rtol=1e-12, atol=1e-12)
    assert torch.autograd.gradcheck(run, (x, layer.weight, layer.bias), fast_mode=True)


class Without(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return without_holes(self.layer, x)


def test_phases_go_back():
    """Images of two sides, there and back."""
    x = images(3, 2, 4, 6)
    assert phases(x).shape == (12, 2, 2, 3)
    assert torch.equal(unphased(phases(x)), x)


def of_moments(inputs, weights, scales, shifts, summed):
    """Projections with the moments of their inputs."""
    means, covariances = (torch.stack(parts) for parts in zip(*map(moments, inputs), strict=True))
    eps = weights.new_full((len(inputs), 1), 1e-5)
    outcomes = normalized_projections(inputs, weights, scales, shifts, means, covariances, eps, summed=summed)
    return outcomes[0] if summed else torch.stack(outcomes)


@pytest.mark.parametrize("summed", [True, False])
def test_projections_are_convolutions_with_norms(summed):
    """The outcomes of torch's layers, and first and second derivatives that are right."""
    inputs = [images(2, 3, 4, 4, seed=seed).requires_grad_() for seed in range(2)]
    weights, scales, shifts = (images(*shape).requires_grad_() for shape in ((2, 4, 3), (2, 4), (2, 4)))

    def run(weights, scales, shifts, *inputs):
        return of_moments(inputs, weights, scales, shifts, summed)

    parts = [
        functional.batch_norm(functional.conv2d(x, w[:, :, None, None]), None, None, scale, shift, True)
        for x, w, scale, shift in zip(inputs, weights, scales, shifts, strict=True)
    ]
    expected = parts[0] + parts[1] if summed else torch.stack(parts)
    torch.testing.assert_close(run(weights, scales, shifts, *inputs), expected, rtol=1e-10, atol=1e-10)
    assert torch.autograd.gradcheck(run, (weights, scales, shifts, *inputs), fast_mode=True)
    assert torch.autograd.gradgradcheck(run, (weights, scales, shifts, *inputs), fast_mode=True)


def test_a_weighted_sum_has_its_gradients():
    """Of tensors in both layouts and of numbers, first and second; None is one."""
    tensors = [images(2, 3, 2, 2), images(2, 3, 2, 2, seed=1).contiguous(), images(2, 3, 2, 2, seed=2)]
    tensors = [tensor.requires_grad_() for tensor in tensors]
    numbers = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (0.3, 0.0)]

    def run(a, b, c, first, second):
        return weighted_sum([a, b, c], [first, None, second])

    expected = tensors[0] * numbers[0] + tensors[1] + tensors[2] * numbers[1]
    torch.testing.assert_close(run(*tensors, *numbers), expected)
    assert torch.autograd.gradcheck(run, (*tensors, *numbers))
    assert torch.autograd.gradgradcheck(run, (*tensors, *numbers))


def test_variances_far_below_the_mean_are_not_taken_from_products():
    """In single precision they would be lost; the plain layers run then."""
    calm = torch.randn(4, 3, 8, 8)
    assert are_calm(*moments(calm + 3))
    assert not are_calm(*moments(0.01 * calm + 100))


class Layers(nn.Module):
    """A network with one open operation among ``candidates``, between two convolutions."""

    def __init__(self, candidates, between=None, **more):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.open = nw.one_of("op", **candidates)
        self.between = between

    def forward(self, x):
        x = self.first(x)
        x = self.open(x) if self.between is None else self.between(self.open, x)
        return x.mean((2, 3))


def projected():
    return nn.Sequential(nn.ReLU(), nn.Conv2d(4, 4, 1, bias=False), nn.BatchNorm2d(4))


class Doubles(nn.Module):
    """Changes its input."""

    def forward(self, x):
        return x.mul_(2)


def both(candidates, between=None, change=lambda supernet: None):
    """What a mixture gives, plainly and arranged."""
    space = nw.SearchSpace(Layers, candidates=candidates, between=between)
    outcomes = []
    for arranged in (False, True):
        supernet = Supernet(space).double()
        change(supernet)
        if arranged:
            assert supernet.arrange(images(4, *IMAGES)) is torch.channels_last
        weights = torch.linspace(0.2, 0.5, len(candidates), dtype=torch.float64, requires_grad=True)
        outcome = supernet.mixed({"op": Way(tuple(range(len(candidates))), weights)})(images(4, *IMAGES))
        outcome.square().sum().backward()
        gradients = [p.grad for p in (*supernet.parameters(), weights)]
        outcomes.append([outcome, *(torch.zeros(1) if g is None else g.contiguous() for g in gradients)])
    return outcomes


ODD = {
    "a candidate that changes its input": {
        "a": lambda: nn.Sequential(nn.AvgPool2d(3, 1, 1), Doubles()),
        "b": lambda: nn.Sequential(nn.AvgPool2d(3, 1, 1), nn.Conv2d(4, 4, 1)),
    },
    "a candidate called none that is something": {"none": nn.Identity, "b": projected},
    "norms without parameters": {
        "a": lambda: nn.Sequential(nn.ReLU(), nn.Conv2d(4, 4, 1, bias=False), nn.BatchNorm2d(4, affine=False)),
        "b": lambda: nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4, affine=False)),
    },
    "nothing alone": {"none": nasbench201.Zero, "zero": nasbench201.Zero},
}


@pytest.mark.parametrize("case", ODD)
def test_mixtures_of_odd_candidates(case):
    """What cannot be joined is as it was."""
    plain, joined = both(ODD[case])
    for expected, found in zip(plain, joined, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_a_part_that_is_run_again_is_the_same():
    """Activation checkpointing inside of the network: gradients as without."""
    plain, joined = both(
        {"a": projected, "b": lambda: nn.MaxPool2d(3, 1, 1)}, lambda run, x: checkpoint(run, x, use_reentrant=False)
    )
    for expected, found in zip(plain, joined, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_hooks_are_called():
    """On a layer inside of a candidate, which would not be called otherwise."""
    calls = []

    def listen(supernet):
        for name, module in supernet.network.named_modules():
            if isinstance(module, nn.BatchNorm2d):
                module.register_forward_hook(lambda *_, name=name: calls.append(name))

    both({"a": projected, "b": projected}, change=listen)
    assert calls.count("open.candidates.0.2") >= 2


def test_what_is_always_zero_is_not_run_and_its_number_has_no_gradient():
    """The zero of NAS-Bench-201: tried once, then left out."""
    space = nw.SearchSpace(Layers, candidates={"none": nasbench201.Zero, "b": projected})
    supernet = Supernet(space)
    supernet.arrange(torch.randn(2, *IMAGES))
    weights = torch.tensor([0.4, 0.6], requires_grad=True)
    supernet.mixed({"op": Way((0, 1), weights)})(torch.randn(4, *IMAGES)).square().sum().backward()
    assert supernet.network.open._nothing == {0: True}
    assert weights.grad[0] == 0
    assert weights.grad[1] != 0


def test_a_mixture_runs_where_nothing_is_tracked():
    """In inference mode, and under a transform of functions: outcomes as without."""
    space = nw.SearchSpace(Layers, candidates={"a": projected, "b": lambda: nn.MaxPool2d(3, 1, 1)})
    supernet = Supernet(space).double()
    supernet.arrange(images(4, *IMAGES))
    network = supernet.mixed({"op": Way((0, 1), torch.tensor([0.5, 0.5], dtype=torch.float64))})
    with torch.no_grad():
        expected = network(images(4, *IMAGES))
    with torch.inference_mode():
        torch.testing.assert_close(network(images(4, *IMAGES)), expected, rtol=1e-10, atol=1e-10)
    network.eval()
    slope = torch.func.grad(lambda x: network(x).sum())(images(4, *IMAGES))
    x = images(4, *IMAGES).requires_grad_()
    torch.testing.assert_close(slope, torch.autograd.grad(network(x).sum(), x)[0], rtol=1e-10, atol=1e-10)


class Viewed(nn.Module):
    """Needs its features to lie one channel after the other."""

    def __init__(self):
        super().__init__()
        self.layer = nw.one_of("op", a=lambda: nn.Conv2d(3, 4, 3, padding=1), b=lambda: nn.Conv2d(3, 4, 1))
        self.head = nn.Linear(4 * 256, 2)

    def forward(self, x):
        return self.head(self.layer(x).view(len(x), -1))


def test_a_network_that_needs_the_usual_layout_keeps_it():
    """One that calls `view` on its features; whether it is training and where it goes are as before."""
    supernet = Supernet(nw.SearchSpace(Viewed)).train()
    assert supernet.arrange(torch.randn(4, *IMAGES)) is torch.contiguous_format
    assert supernet.training
    assert supernet.at({"op": "b"})(torch.randn(4, *IMAGES)).shape == (4, 2)


def test_other_inputs_than_images_stay_as_they_are():
    """Rows of numbers."""

    class Rows(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(5, nw.choose("width", 2, 3))

        def forward(self, x):
            return self.layer(x)

    assert Supernet(nw.SearchSpace(Rows)).arrange(torch.randn(3, 5)) is torch.contiguous_format


def test_elastic_sizes_are_laid_out_too():
    """Networks that are built for each architecture get their inputs with channels last; they learn as before."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(3, nw.choose("width", 2, 4), 3)

        def forward(self, x):
            return self.layer(x)

    supernet = Supernet(nw.SearchSpace(Net))
    assert supernet.arrange(torch.randn(2, *IMAGES)) is torch.channels_last
    assert supernet.at({"width": 4})(torch.randn(2, *IMAGES)).is_contiguous(memory_format=torch.channels_last)
    assert [True, True] == [supernet.at({"width": width}).training for width in (2, 4)]


def test_copies_and_pickles_are_arranged_and_on_their_own():
    """A mixture run on a copy leaves the first as it was."""
    supernet = Supernet(SPACES["nasbench201"])
    supernet.arrange(torch.randn(2, *IMAGES))
    x = torch.randn(4, *IMAGES)
    for other in (copy.deepcopy(supernet), cloudpickle.loads(cloudpickle.dumps(supernet))):
        assert other.board.laid_out
        numbers = Softmax(other)
        other.mixed(numbers.ways(torch.Generator()))(x).sum().backward()
        assert not any(parameter.grad is not None for parameter in supernet.parameters())
        assert other.network._forward_pre_hooks.keys() == supernet.network._forward_pre_hooks.keys()
        assert not supernet.board.ways
