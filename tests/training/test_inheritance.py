"""What a network takes over from the weights of another, by hand-made cases."""

import torch
from torch import nn

from netwright.training import inherit


def filled(network, value):
    """The network's state with every number replaced by ``value``."""
    return {name: torch.full_like(tensor, value) for name, tensor in network.state_dict().items()}


def test_the_same_shape_is_copied_whole():
    """Equal networks: everything matches, and the weights are the parent's afterwards."""
    child, parent = nn.Linear(3, 2), nn.Linear(3, 2)
    result = inherit(child, parent.state_dict())
    assert (("weight", "bias"), (), ()) == (result.matched, result.overlapped, result.fresh)
    assert torch.equal(parent.weight, child.weight)


def test_a_wider_child_keeps_fresh_values_beyond_the_overlap():
    """A width that grew: the parent's rows and columns are in the corner, the rest is as it was drawn."""
    child = nn.Linear(4, 3)
    fresh = child.weight.detach().clone()
    result = inherit(child, {"weight": torch.full((2, 3), 7.0), "bias": torch.full((2,), 5.0)})
    expected = fresh.clone()
    expected[:2, :3] = 7.0
    assert torch.equal(expected, child.weight)
    assert [5.0, 5.0] == child.bias[:2].tolist()
    assert ("weight", "bias") == result.overlapped


def test_a_narrower_child_takes_the_first_of_the_parent():
    """A width that shrank: the child is the parent's corner."""
    parent = torch.arange(24.0).reshape(4, 3, 1, 2)
    child = nn.Conv2d(2, 3, (1, 1), bias=False)
    inherit(child, {"weight": parent})
    assert torch.equal(parent[:3, :2, :, :1], child.weight)


def test_one_side_may_grow_while_the_other_shrinks():
    """Overlap is taken in each dimension by itself."""
    child = nn.Linear(5, 2, bias=False)
    fresh = child.weight.detach().clone()
    inherit(child, {"weight": torch.ones(4, 3)})
    assert torch.equal(torch.ones(2, 3), child.weight[:, :3])
    assert torch.equal(fresh[:, 3:], child.weight[:, 3:])


def test_another_number_of_dimensions_stays_fresh():
    """A convolution's weight is no start for a linear layer of the same name."""
    child = nn.Linear(3, 2)
    before = child.weight.detach().clone()
    result = inherit(child, {"weight": torch.ones(2, 3, 1, 1)})
    assert ("weight", "bias") == result.fresh
    assert torch.equal(before, child.weight)


def test_running_statistics_come_along():
    """BatchNorm's mean and variance are copied by overlap, its count of batches whole."""
    child = nn.BatchNorm2d(4)
    result = inherit(child, filled(nn.BatchNorm2d(2), 3))
    assert [3.0, 3.0, 0.0, 0.0] == child.running_mean.tolist()
    assert [3.0, 3.0, 1.0, 1.0] == child.running_var.tolist()
    assert 3 == child.num_batches_tracked
    assert ("num_batches_tracked",) == result.matched


def test_whole_numbers_are_never_cut():
    """A table of indices of another size stays the child's own."""
    child = nn.Module()
    child.register_buffer("order", torch.arange(4))
    result = inherit(child, {"order": torch.tensor([9, 9])})
    assert [0, 1, 2, 3] == child.order.tolist()
    assert ("order",) == result.fresh


def test_unknown_names_are_left_out_and_missing_ones_stay_fresh():
    """Layers that only one of the two has change nothing."""
    child = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    before = child[1].weight.detach().clone()
    result = inherit(child, {"0.weight": torch.ones(2, 2), "7.weight": torch.ones(2, 2)})
    assert ("0.weight",) == result.matched
    assert ("0.bias", "1.weight", "1.bias") == result.fresh
    assert torch.equal(before, child[1].weight)


def test_the_heir_trains_on():
    """Inherited parameters are still leaves with gradients, and not the parent's own tensors."""
    child, parent = nn.Linear(2, 2), nn.Linear(2, 2)
    inherit(child, parent.state_dict())
    child(torch.ones(1, 2)).sum().backward()
    with torch.no_grad():
        child.weight += 1
    assert child.weight.grad is not None
    assert not torch.equal(parent.weight, child.weight)


def test_without_overlap_only_equal_shapes_are_copied():
    """A tensor of another size keeps all of its fresh values."""
    child = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    before = {name: tensor.clone() for name, tensor in child.state_dict().items()}
    given = {"0.weight": torch.ones(2, 3), "1.weight": torch.ones(2, 4)}
    result = inherit(child, given, overlap=False)
    assert (("1.weight",), (), ("0.weight", "0.bias", "1.bias")) == (result.matched, result.overlapped, result.fresh)
    assert torch.equal(torch.ones(2, 4), child[1].weight)
    assert all(torch.equal(before[name], child.state_dict()[name]) for name in result.fresh)
