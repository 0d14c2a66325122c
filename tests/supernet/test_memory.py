"""Memory of a step: a single path needs that of its own network, a mixture that of all options that run."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from torch.nn import functional

from netwright.strategies.oneshot import (
    DARTS,
    ENAS,
    GDAS,
    PCDARTS,
    SPOS,
    Course,
    DrNAS,
    FairNAS,
    Proxyless,
    RandomWeights,
)
from netwright.supernet import Supernet, Way
from netwright.zoo import nasbench201, proxyless

IMAGES = (3, 16, 16)
SPACES = {
    "nasbench201": nasbench201.space(input_shape=IMAGES, classes=4, channels=8, cells=1),
    "proxyless": proxyless.space(
        input_shape=IMAGES, classes=4, widths=(8, 4, 4, 8, 8, 8, 12, 12, 16), blocks=2
    ),
}  # fmt: skip
X, Y = torch.randn(8, *IMAGES, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 4


class Piece:
    """A tensor that autograd keeps; gone when the backward pass is through with it."""

    def __init__(self, saved, tensor):
        self.saved, self.tensor = saved, tensor
        saved.count(tensor, 1)

    def __del__(self):
        self.saved.count(self.tensor, -1)


class Saved:
    """The most bytes that autograd keeps at once, each piece of memory counted once, and weights not at all."""

    def __init__(self, network):
        self.peak = self._now = 0
        self._kept, self._uses = {tensor.untyped_storage().data_ptr() for tensor in network.parameters()}, Counter()

    def count(self, tensor, change):
        storage = tensor.untyped_storage()
        place = storage.data_ptr()
        if place in self._kept:
            return
        before = self._uses[place]
        self._uses[place] += change
        if (before > 0) != (before + change > 0):
            self._now += change * storage.nbytes()
            self.peak = max(self.peak, self._now)

    def __enter__(self):
        self._hooks = torch.autograd.graph.saved_tensors_hooks(lambda x: Piece(self, x), lambda piece: piece.tensor)
        self._hooks.__enter__()
        return self

    def __exit__(self, *reason):
        self._hooks.__exit__(*reason)


def needed(network):
    """The bytes of a step of training of a network."""
    with Saved(network.train()) as found:
        functional.cross_entropy(network(X), Y).backward()
    assert found._now == 0
    return found.peak


def begun(method, name):
    """A supernet, as it is in a search, with a method that has started."""
    supernet = Supernet(SPACES[name], seed=1)
    supernet.arrange(X)
    method.start(supernet.train(), Course(40, 4, functional.cross_entropy, 3))
    return supernet


def stepped(method, supernet, number=0):
    """The bytes of one step of a method."""
    with Saved(supernet) as found:
        method.step(number, (X, Y), (X, Y))
    return found.peak


def plain(supernet, ways):
    """The bytes of the network alone that these single ways lead to."""
    options = {name: decision.options for name, decision in supernet.space.declared.items()}
    return needed(supernet.extract({name: options[name][way.positions[0]] for name, way in ways.items()}))


@pytest.mark.parametrize("name", SPACES)
def test_one_architecture_needs_what_its_network_needs(name):
    """To a fifth, however many options stand beside it."""
    supernet, rng = Supernet(SPACES[name]), np.random.default_rng(3)
    supernet.arrange(X)
    for architecture in [supernet.space.sample(rng) for _ in range(4)]:
        alone = needed(supernet.extract(architecture))
        assert needed(supernet.at(architecture)) <= 1.2 * alone


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("kind", [SPOS, RandomWeights, ENAS, Proxyless])
def test_a_step_on_one_path_needs_that_path_alone(kind, name):
    """The whole step of a method, with what it does beside the pass of the weights."""
    method = kind()
    supernet = begun(method, name)
    found = stepped(method, supernet)
    assert found <= 1.2 * plain(supernet, supernet.board.ways)


def test_fair_paths_run_one_after_the_other():
    """The five paths of a step together need as much as the largest of them."""
    method = FairNAS()
    supernet = begun(method, "nasbench201")
    found = stepped(method, supernet)
    rng = np.random.default_rng([3, 0])
    orders = {name: rng.permutation(5) for name in supernet.space.declared}
    paths = [{name: Way((int(order[place]),)) for name, order in orders.items()} for place in range(5)]
    assert found <= 1.2 * max(plain(supernet, ways) for ways in paths)


@pytest.mark.parametrize("name", SPACES)
def test_a_hard_draw_needs_that_path_and_what_it_gives(name):
    """GDAS multiplies the outcome of each operation by its number, and keeps both: far less than a mixture."""
    method, mixed = GDAS(), DARTS()
    supernet = begun(method, name)
    found = stepped(method, supernet)
    assert found < 0.5 * stepped(mixed, begun(mixed, name))


@pytest.mark.parametrize("name", SPACES)
def test_a_mixture_needs_more_than_any_path(name):
    """All its options at once: at least twice as much as the largest of many architectures."""
    method = DARTS()
    supernet, rng = begun(method, name), np.random.default_rng(3)
    largest = max(needed(supernet.extract(supernet.space.sample(rng))) for _ in range(20))
    assert stepped(method, supernet) > 2 * largest


def test_a_quarter_of_the_channels_needs_far_less():
    """PC-DARTS, of whose channels a quarter is mixed."""
    method, mixed = PCDARTS(rest=0.0), DARTS()
    supernet = begun(method, "nasbench201")
    assert stepped(method, supernet) < 0.6 * stepped(mixed, begun(mixed, "nasbench201"))


@pytest.mark.parametrize("stage", [0, 1])
def test_every_stage_of_drnas_needs_less_than_half(stage):
    """A quarter of the channels and five operations, then half of them and three."""
    method, plain = DrNAS(progressive=True, rest=0.0, stages=((0.5, 4, None), (0.5, 2, 3))), DrNAS()
    supernet = begun(method, "nasbench201")
    if stage:
        method._enter(stage)
    assert stepped(method, supernet) < 0.5 * stepped(plain, begun(plain, "nasbench201"))


@pytest.mark.parametrize("name", SPACES)
def test_two_gated_paths_need_less_than_a_mixture(name):
    """A step of Proxyless in which numbers learn: two options a decision, one of them without its insides."""
    method, mixed = Proxyless(warm_up=0.0), DARTS()
    supernet = begun(method, name)
    assert stepped(method, supernet) < 0.6 * stepped(mixed, begun(mixed, name))
