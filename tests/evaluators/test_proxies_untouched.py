"""A proxy leaves the network as it found it, whatever happens."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from proxy_networks import KINDS, make
from torch import Tensor, nn

from netwright.evaluators.proxies import PROXIES, ProxyFailed, untouched


def portrait(network: nn.Module) -> dict[str, Any]:
    """All that can be seen of a network and of torch's generator."""
    tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    return {
        "values": {name: tensor.detach().clone() for name, tensor in tensors.items()},
        "objects": {name: (id(tensor), tensor.data_ptr(), tensor.dtype) for name, tensor in tensors.items()},
        "requires": {name: tensor.requires_grad for name, tensor in tensors.items()},
        "gradients": {name: None if tensor.grad is None else tensor.grad.clone() for name, tensor in tensors.items()},
        "modes": [module.training for module in network.modules()],
        "attributes": [
            {
                key: [(name, id(item)) for name, item in value.items()] if isinstance(value, dict) else id(value)
                for key, value in module.__dict__.items()
            }
            for module in network.modules()
        ],
        "generator": torch.get_rng_state(),
    }


def same(a: Any, b: Any) -> bool:
    """Whether two portraits are equal, bit for bit."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return bool(a == b)


def lived_in(kind: str) -> tuple[nn.Module, Tensor, Tensor]:
    """A network in the middle of something: mixed modes, a frozen weight, gradients, a hook, a forward of its own."""
    network, inputs, targets = make(kind)
    modules = list(network.modules())
    modules[1].eval()
    parameters = list(network.parameters())
    parameters[0].requires_grad_(False)
    parameters[-1].grad = torch.ones_like(parameters[-1])
    modules[-1].register_forward_hook(lambda module, args, out: None)
    network.forward = network.forward  # type: ignore[method-assign]
    return network, inputs, targets


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PROXIES)
def test_a_network_is_left_as_it_was(name: str, kind: str) -> None:
    """Values, memory, gradients, modes, hooks, forwards and the generator are the same after each proxy."""
    network, inputs, targets = lived_in(kind)
    before, batch = portrait(network), inputs.clone()
    try:
        PROXIES[name](network, inputs, targets)
    except ProxyFailed:
        pass
    assert same(before, portrait(network))
    assert torch.equal(batch, inputs)
    assert not inputs.requires_grad


@pytest.mark.parametrize("name", PROXIES)
def test_a_network_that_raises_is_left_as_it_was(name: str) -> None:
    """So too when its forward pass ends in the middle with an error."""
    network, inputs, targets = lived_in("residual")

    def trip(module: nn.Module, args: Any) -> None:
        raise ZeroDivisionError

    network.head.register_forward_pre_hook(trip)
    before = portrait(network)
    try:
        PROXIES[name](network, inputs, targets)
    except ZeroDivisionError:
        pass
    assert same(before, portrait(network))


@pytest.mark.parametrize("name", ["snip", "grasp", "fisher", "zico", "grad_norm", "plain"])
def test_a_loss_that_raises_leaves_the_network_as_it_was(name: str) -> None:
    """The error comes out of the proxy, and the network is whole."""
    network, inputs, targets = lived_in("sequence")
    before = portrait(network)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        PROXIES[name](network, inputs, targets, loss=loss)
    assert same(before, portrait(network))


def test_anything_may_be_done_to_an_untouched_network() -> None:
    """Weights in place and anew, buffers, dtype, gradients, hooks, attributes and torch's generator are put back."""
    network, _, _ = lived_in("sequence")
    before = portrait(network)
    with untouched(network):
        network.double()
        network[0].weight.data.zero_()
        network[3].weight = nn.Parameter(torch.zeros(1))
        network[1].running_mean.add_(1)
        network[1].extra = 3
        for parameter in network.parameters():
            parameter.grad = torch.ones_like(parameter)
        network[2].register_forward_hook(lambda module, args, out: out)
        network[7].forward = lambda x: x
        network.eval()
        torch.rand(3)
    assert same(before, portrait(network))


def test_tied_weights_stay_tied() -> None:
    """A weight that stands in two places is one inside too."""
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    network[1].weight = network[0].weight
    with untouched(network):
        assert network[1].weight is network[0].weight
    assert network[1].weight is network[0].weight


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PROXIES)
def test_the_same_generator_gives_the_same_number(name: str, kind: str) -> None:
    """A proxy depends on its arguments alone, not on torch's own generator."""
    network, inputs, targets = make(kind)

    def value() -> float | str:
        try:
            return PROXIES[name](network, inputs, targets, generator=torch.Generator().manual_seed(5))
        except ProxyFailed as failed:
            return failed.message

    first = value()
    torch.manual_seed(99)
    assert value() == first


@pytest.mark.parametrize("name", PROXIES)
def test_a_proxy_works_without_gradients_around_it(name: str) -> None:
    """Inside ``torch.no_grad`` it answers as outside."""
    network, inputs, targets = make("sequence")
    expected = PROXIES[name](network, inputs, targets)
    with torch.no_grad():
        assert PROXIES[name](network, inputs, targets) == expected
