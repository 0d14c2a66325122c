"""What the tests of the methods have in common: a small course, exact expectations, and going on from a checkpoint."""

from __future__ import annotations

import copy
import itertools
import json

import torch
from tests.strategies.oneshot.toys import Toy
from torch import nn

import netwright as nw
from netwright.strategies.oneshot import Course
from netwright.supernet import Supernet


class Classes(nn.Module):
    """Two decisions of two options, of which the second depends on nothing; three classes."""

    def __init__(self):
        super().__init__()
        self.a = nw.one_of("a", p=lambda: nn.Linear(3, 3), q=nn.Identity)
        self.norm = nn.BatchNorm1d(3)
        self.b = nw.one_of("b", p=lambda: nn.Linear(3, 3), q=nn.Tanh)

    def forward(self, x):
        return self.b(self.norm(self.a(x)))


PAIRS = [{"a": a, "b": b} for a, b in itertools.product("pq", repeat=2)]


def labelled(count, seed=0, size=24):
    """Batches of inputs with their largest entry as the class."""
    draw = torch.Generator().manual_seed(seed)
    inputs = [torch.randn(size, 3, generator=draw) for _ in range(count)]
    return [(x, x.argmax(1)) for x in inputs]


def begun(method, network=Classes, *, steps=40, epochs=4, seed=3, loss=nn.functional.cross_entropy, **options):
    """A supernet on which a method has started."""
    supernet = Supernet(nw.SearchSpace(network), seed=1)
    method.start(supernet, Course(steps, epochs, loss, seed, **options))
    return supernet


def took(method, supernet, numbers, batches):
    """Takes the steps of these numbers and answers with all that they may have changed.

    As in a real course, dropout follows the number of the step.
    """
    losses = []
    for number in numbers:
        torch.manual_seed(number)
        losses.append(float(method.step(number, batches[number], batches[-1 - number])))
    return losses, kept(method, supernet)


def kept(method, supernet):
    """What a checkpoint holds."""
    parts = {}
    for name, part in method.stateful.items():
        parts[name] = part.get_state() if isinstance(part, torch.Generator) else copy.deepcopy(part.state_dict())
    return copy.deepcopy(supernet.checkpoint()), parts, json.dumps(method.said())


def restored(method, supernet, state):
    """Gives a method that has started what :func:`kept` gave."""
    weights, parts, said = copy.deepcopy(state)
    method.reshape(json.loads(said))
    supernet.restore(weights)
    for name, part in method.stateful.items():
        (part.set_state if isinstance(part, torch.Generator) else part.load_state_dict)(parts[name])
    method.recall(json.loads(said))


def same(a, b):
    """Whether two things of tensors, containers and plain values are equal bit for bit."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


def goes_on_exactly(make, network=Classes, *, first=10, more=5, data=None, **options):
    """Whether ``first`` steps, a checkpoint, and ``more`` in a new object are as all of them at a stretch."""
    data = labelled(first + more) if data is None else data
    straight = make()
    supernet = begun(straight, network, **options)
    at_a_stretch = took(straight, supernet, range(first + more), data)
    before = make()
    supernet = begun(before, network, **options)
    state = took(before, supernet, range(first), data)[1]
    after = make()
    supernet = begun(after, network, **options)
    restored(after, supernet, state)
    losses, end = took(after, supernet, range(first, first + more), data)
    return losses == at_a_stretch[0][first:] and same(end, at_a_stretch[1]) and not same(end, state)


__all__ = ["PAIRS", "Classes", "Toy", "begun", "goes_on_exactly", "kept", "labelled", "restored", "same", "took"]
