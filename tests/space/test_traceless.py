"""What runs leaves no trace: modes of modules, and generators of random numbers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from netwright.space.traceless import evaluating, generators_kept, modes_kept, seed_generators


def frozen():
    """A network that trains, but for one norm that does not."""
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Sequential(nn.BatchNorm1d(2), nn.Dropout()))
    network[1].eval()
    return network


def modes(network):
    return [module.training for module in network.modules()]


def test_every_module_has_its_own_mode_afterwards():
    """Not that of the whole network; also where something went wrong."""
    network = frozen()
    before = modes(network)

    def stopped():
        with evaluating(network):
            assert not any(modes(network))
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        stopped()
    assert modes(network) == before == [True, True, False, True, True, True]
    with modes_kept(network):
        assert modes(network) == before
        network.eval()
    assert modes(network) == before


def test_numbers_drawn_within_leave_those_after_as_they_were():
    """With a seed or without; the seed is that of torch.manual_seed."""
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    with generators_kept(seed=7):
        first = torch.rand(4)
    with generators_kept():
        torch.rand(5)
        torch.manual_seed(7)
        assert torch.equal(torch.rand(4), first)
    assert torch.equal(torch.rand(2), expected)
    with generators_kept(torch.device("meta")):
        seed_generators(7, torch.device("meta"))
        assert torch.equal(torch.rand(4), first)


def test_only_the_device_in_use_is_seeded(monkeypatch):
    """``torch.manual_seed`` would seed every accelerator of the machine, whose generator nobody keeps."""
    asked = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", asked.append)
    with generators_kept(seed=7):
        pass
    assert asked == []


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_numbers_of_an_accelerator_are_kept_too():
    """Drawn there after the block, they are those that would have come without it."""
    device = torch.device("cuda")
    seed_generators(3, device)
    expected = torch.rand(2, device=device)
    seed_generators(3, device)
    with generators_kept(device, seed=7):
        first = torch.rand(4, device=device)
    with generators_kept(device, seed=7):
        assert torch.equal(torch.rand(4, device=device), first)
    assert torch.equal(torch.rand(2, device=device), expected)
