"""Kernels that matrices make of larger ones: nothing at first, then crop and multiply; gradients, checkpoints."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import netwright as nw
from netwright.errors import InputError, SpaceError
from netwright.evaluators import SharedWeights
from netwright.supernet import Supernet
from netwright.supernet.kernels import chain, name_of
from netwright.training.data import Data
from netwright.training.splits import split
from netwright.zoo import ofa


class Kernels(nn.Module):
    """A plain and a depthwise convolution with the same open kernel, and an open width; three classes."""

    def __init__(self):
        super().__init__()
        width, kernel = nw.choose("width", 2, 4), nw.choose("kernel", 3, 5, 7)
        self.plain = nn.Conv2d(2, width, kernel, padding=kernel // 2)
        self.depthwise = nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width)
        self.head = nn.Linear(width, 3)

    def forward(self, x):
        return self.head(self.depthwise(self.plain(x).relu()).mean((2, 3)))


class Line(nn.Module):
    """One convolution of one dimension."""

    def __init__(self):
        super().__init__()
        kernel = nw.choose("kernel", 1, 3, 5)
        self.conv = nn.Conv1d(2, 3, kernel, padding=kernel // 2)

    def forward(self, x):
        return self.conv(x).mean(2)


X = torch.randn(4, 2, 9, 9, generator=torch.Generator().manual_seed(1))


def learnt(network=Kernels, **arguments):
    """A supernet whose matrices are not what they were at first."""
    supernet = Supernet(nw.SearchSpace(network, **arguments), seed=1)
    supernet.transform_kernels()
    draw = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in supernet.network.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=draw)
    return supernet


def tensor(supernet, name):
    return dict(supernet.network.named_parameters())[name]


def by_hand(weight, seven_to_five, five_to_three):
    """A kernel of three from one of seven, as the paper has it."""
    five = (weight[:, :, 1:6, 1:6].reshape(-1, 25) @ seven_to_five.T).reshape(*weight.shape[:2], 5, 5)
    return (five[:, :, 1:4, 1:4].reshape(-1, 9) @ five_to_three.T).reshape(*weight.shape[:2], 3, 3)


def test_there_is_one_for_each_step_of_each_layer():
    """25×25 from 7 to 5 and 9×9 from 5 to 3, identities, for all channels together."""
    supernet = Supernet(nw.SearchSpace(Kernels))
    before = {name for name, _ in supernet.network.named_parameters()}
    supernet.transform_kernels()
    added = {name: p for name, p in supernet.network.named_parameters() if name not in before}
    sizes = {"7to5": 25, "5to3": 9}
    assert {f"{layer}/weight/{step}" for layer in ("plain", "depthwise") for step in sizes} == set(added)
    assert all(torch.equal(torch.eye(sizes[name.rpartition("/")[2]]), p) for name, p in added.items())


def test_a_line_has_smaller_ones():
    """In one dimension a matrix has the sides of the kernel."""
    supernet = learnt(Line)
    assert [tuple(tensor(supernet, f"conv/weight/{step}").shape) for step in ("5to3", "3to1")] == [(3, 3), (1, 1)]


def test_identities_change_nothing():
    """Each of the networks gives what it gave before there were matrices."""
    plain = Supernet(nw.SearchSpace(Kernels), seed=1).eval()
    with_matrices = copy.deepcopy(plain)
    with_matrices.transform_kernels()
    for architecture in plain.space.enumerate():
        torch.testing.assert_close(plain.at(architecture)(X), with_matrices.at(architecture)(X), rtol=0, atol=1e-6)


def test_the_largest_kernel_is_not_touched():
    """Bit for bit, whatever the matrices have learnt."""
    supernet = learnt()
    assert torch.equal(tensor(supernet, "plain/weight"), supernet.extract({"width": 4, "kernel": 7}).plain.weight)


def test_a_small_kernel_is_cut_out_and_multiplied_twice():
    """By a hand-written loop of the paper's rule, for all channels and for the first ones."""
    supernet = learnt()
    expected = by_hand(*(tensor(supernet, f"plain/weight{step}") for step in ("", "/7to5", "/5to3")))
    torch.testing.assert_close(expected, supernet.extract({"width": 4, "kernel": 3}).plain.weight)
    torch.testing.assert_close(expected[:2], supernet.extract({"width": 2, "kernel": 3}).plain.weight)


@pytest.mark.parametrize("train", [True, False])
def test_what_is_extracted_is_the_supernet_there(train):
    """Bit for bit, with matrices that have learnt something."""
    supernet = learnt().train(train)
    for architecture in supernet.space.enumerate():
        with torch.no_grad():
            assert torch.equal(supernet.at(architecture)(X), supernet.extract(architecture)(X))


def test_the_published_space_is_shared_bit_for_bit():
    """With its depthwise convolutions, norms, and squeezing layers."""
    space = ofa.space(input_shape=(3, 8, 8), classes=4, widths=(0.1,), depths=(1, 2))
    supernet = Supernet(space, seed=1)
    supernet.transform_kernels()
    x, rng = torch.randn(2, 3, 8, 8), np.random.default_rng(0)
    supernet.arrange(x)
    x = x.contiguous(memory_format=torch.channels_last)
    for architecture in [space.sample(rng) for _ in range(2)]:
        with torch.no_grad():
            assert torch.equal(supernet.at(architecture)(x), supernet.extract(architecture)(x))


def test_gradients_are_those_of_the_rule_by_hand():
    """In the large kernel and in both matrices."""
    supernet = learnt().double()
    x, names = X.double(), [f"plain/weight{step}" for step in ("", "/7to5", "/5to3")]
    supernet.at({"width": 4, "kernel": 3}).plain(x).square().sum().backward()
    found = [tensor(supernet, name).grad for name in names]
    weight, *matrices = (tensor(supernet, name).detach().requires_grad_() for name in names)
    outputs = functional.conv2d(x, by_hand(weight, *matrices), tensor(supernet, "plain/bias").detach(), padding=1)
    expected = torch.autograd.grad(outputs.square().sum(), [weight, *matrices])
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(theirs, mine)


def test_gradients_are_exact():
    """As finite differences have them in double precision, through every parameter of the network."""
    supernet = learnt(Line).double()
    x = torch.randn(2, 2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    network = supernet.at({"kernel": 1})
    assert torch.autograd.gradcheck(lambda *_: network(x), tuple(supernet.network.parameters()))


def test_a_middle_size_does_not_ask_the_smaller_ones():
    """The matrix from 5 to 3 has no part in a kernel of 5."""
    supernet = learnt()
    supernet.at({"width": 4, "kernel": 5})(X).sum().backward()
    assert tensor(supernet, "plain/weight/7to5").grad is not None
    assert tensor(supernet, "plain/weight/5to3").grad is None


def test_they_learn_from_one_pass_to_the_next():
    """What is kept built has the matrices of now."""
    supernet = learnt()
    before = supernet.at({"width": 4, "kernel": 3})(X)
    with torch.no_grad():
        tensor(supernet, "plain/weight/7to5").mul_(2.0)
    assert not torch.equal(before, supernet.at({"width": 4, "kernel": 3})(X))


def test_a_checkpoint_has_them():
    """It is taken by a supernet that has matrices, and refused with the way out by one that has none."""
    supernet, other = learnt(), Supernet(nw.SearchSpace(Kernels))
    with pytest.raises(InputError, match="another supernet") as refused:
        other.restore(supernet.checkpoint())
    assert "transform_kernels()" in str(refused.value.hint)
    other.transform_kernels()
    other.restore(supernet.checkpoint())
    small = {"width": 2, "kernel": 3}
    assert torch.equal(supernet.at(small)(X), other.at(small)(X))


def test_twice_is_once():
    """What the matrices have learnt stays."""
    supernet = learnt()
    before = supernet.checkpoint()
    supernet.transform_kernels()
    after = supernet.checkpoint()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_copies_and_other_types_keep_them():
    """A copy of a copy in double precision gives the same outputs."""
    supernet, small = learnt(), {"width": 2, "kernel": 3}
    twin = copy.deepcopy(supernet).double()
    torch.testing.assert_close(supernet.at(small)(X).double(), twin.at(small)(X.double()), rtol=1e-5, atol=1e-5)


def test_they_are_scored_as_what_is_extracted():
    """SharedWeights sees the networks with their matrices."""
    draw = np.random.default_rng(0)
    data = Data(draw.normal(size=(60, 2, 9, 9)).astype(np.float32), draw.integers(3, size=60), ("a", "b", "c"))
    supernet = learnt()
    scored = SharedWeights(supernet, data, split=split(data.y, 0))
    for architecture in supernet.space.enumerate():
        assert scored.score(supernet.at(architecture)) == scored.score(supernet.extract(architecture))


def test_mixtures_are_refused():
    """Their weights are cut out; and so say the words."""
    with pytest.raises(SpaceError, match="matrices make its smaller kernels"):
        _ = learnt().superposition


def test_candidates_have_their_own_weights():
    """Where kernels are layers to choose from there is nothing to transform, and mixtures are as they were."""

    class Candidates(nn.Module):
        def __init__(self):
            super().__init__()
            self.op = nw.one_of("op", a=lambda: nn.Conv2d(2, 3, 3), b=lambda: nn.Conv2d(2, 3, 5))

        def forward(self, x):
            return self.op(x).mean((2, 3))

    supernet = Supernet(nw.SearchSpace(Candidates))
    before = set(supernet.checkpoint())
    supernet.transform_kernels()
    assert before == set(supernet.checkpoint())


@pytest.mark.parametrize(
    ("layer", "kernels", "expected"),
    [
        (nn.Conv2d(1, 1, 3), [(3, 3), (7, 7), (5, 5)], ((7, 7), (5, 5), (3, 3))),
        (nn.Conv2d(1, 1, 3), [(3, 1), (7, 1)], ((7, 1), (3, 1))),
        (nn.Conv2d(1, 1, 3), [(7, 7), (1, 7), (7, 1)], ()),
        (nn.Conv2d(1, 1, 3), [(3, 3)], ()),
        (nn.Linear(1, 1), [(3,), (5,)], ()),
    ],
)
def test_sizes_that_lie_in_each_other_are_a_chain(layer: nn.Module, kernels: list[Any], expected: Any) -> None:
    """Others, and what is no convolution, have no matrices."""
    assert expected == chain(layer, kernels)


def test_names_tell_both_sizes():
    """As the authors call them where all sides are the same."""
    assert ["7to5", "7x1to5x1"] == [name_of((7, 7), (5, 5)), name_of((7, 1), (5, 1))]
