"""Small real networks and an independent enumerator for the tests of the space."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from torch import nn

import netwright as nw
from netwright.space.readings import Reading
from netwright.space.words import Inputs


def conv(i, o, k):
    return nn.Sequential(nn.Conv2d(i, o, k, padding=k // 2, bias=False), nn.BatchNorm2d(o), nn.ReLU())


class Net(nn.Module):
    """The network of the design page."""

    def __init__(self, input_shape, classes):
        super().__init__()
        width = nw.choose("width", 16, 32, 64)
        self.stem = conv(input_shape[0], width, 3)
        self.body = nw.repeat(
            "depth",
            lambda i: nw.one_of(
                f"op{i}",
                conv3=lambda: conv(width, width, 3),
                conv5=lambda: conv(width, width, 5),
                skip=nn.Identity,
            ),
            2,
            6,
        )
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        return self.head(self.body(self.stem(x)).mean((2, 3)))


def demo(**changes):
    """The space of the design page: 3 widths, 2 to 6 blocks of 3 operations: 3 * (9 + 27 + 81 + 243 + 729) = 3,267."""
    return nw.SearchSpace(Net, input_shape=(1, 8, 8), classes=10, **changes)


def words_only(declare):
    """A space whose constructor is ``declare()``, for spaces that are never run forward."""

    def network():
        declare()
        return nn.Identity()

    return network


def tangled():
    """Conditions over several decisions, a name shared between branches, and an unbalanced tree."""

    def declare():
        nw.one_of(
            "a",
            x=lambda: words_only(lambda: (nw.choose("deep", 1, 2, 3), nw.choose("shared", "p", "q")))(),
            y=nn.Identity,
        )
        nw.repeat(
            "n",
            lambda i: nw.one_of(
                f"b{i}", x=lambda: words_only(lambda: nw.choose("shared", "p", "q"))(), y=nn.Identity, z=nn.Identity
            ),
            0,
            2,
        )

    return nw.SearchSpace(words_only(declare))


class _Unanswered(Exception):
    def __init__(self, decision):
        self.decision = decision


class _Run(Reading):
    """Runs the constructor on given answers and stops at the first question that has none."""

    def __init__(self, answers):
        self.answers = answers
        self.asked: list[str] = []

    def _answer(self, decision):
        if decision.name not in self.answers:
            raise _Unanswered(decision)
        if decision.name not in self.asked:
            self.asked.append(decision.name)
        return self.answers[decision.name]

    def choose(self, decision):
        return self._answer(decision)

    def one_of(self, decision, candidates):
        return candidates[self._answer(decision)]()

    def repeat(self, decision, block):
        return nn.Sequential(*(block(index) for index in range(self._answer(decision))))

    def inputs(self, decision, combine):
        return Inputs(self._answer(decision), decision.count, combine, decision.name)

    def each(self, picked, block):
        return nn.ModuleList(block(index) for index in picked)


def brute_force(network, **arguments) -> list[dict[str, Any]]:
    """All complete architectures, found by running the constructor again and again; no outline, no conditions.

    For spaces of a few thousand; a larger one is a failure, not a long wait.
    """
    complete = []
    open_ends: list[dict[str, Any]] = [{}]
    while open_ends:
        answers = open_ends.pop()
        try:
            with _Run(answers).in_force():
                network(**arguments)
        except _Unanswered as question:
            decision = question.decision
            open_ends.extend({**answers, decision.name: option} for option in decision.options)
        else:
            complete.append(answers)
        assert len(complete) <= 5_000
    return complete


def program(statements):
    """A constructor from a tree of statements, as hypothesis draws it."""

    def run(block, suffix=""):
        for kind, name, bodies in block:
            if kind == "choose":
                nw.choose(name + suffix, *range(2 + int(name[-1]) % 2))
            elif kind == "one_of":
                nw.one_of(name + suffix, **{f"k{i}": candidate(body, suffix) for i, body in enumerate(bodies)})
            else:
                nw.repeat(name + suffix, repeated(bodies, suffix), 0 if name == "r0" else 1, 2)

    def candidate(body, suffix):
        def make():
            run(body, suffix)
            return nn.Identity()

        return make

    def repeated(bodies, suffix):
        def block(index):
            run(bodies[0], suffix)  # shared between the blocks
            run(bodies[1], f"{suffix}_{index}")  # each block's own
            return nn.Identity()

        return block

    def network():
        run(statements)
        return nn.Identity()

    return network


def _block(depth, least=0):
    return st.lists(_statement(depth), min_size=least, max_size=3 if depth == 3 else 2)


def _statement(depth):
    choice = st.tuples(st.just("choose"), st.sampled_from(["c0", "c1", "c2"]), st.just([]))
    if depth == 0:
        return choice
    bodies = st.lists(_block(depth - 1), min_size=2, max_size=2)
    one_of = st.tuples(st.just("one_of"), st.sampled_from(["o0", "o1", "o2", "o3"]), bodies)
    repeat = st.tuples(st.just("repeat"), st.sampled_from(["r0", "r1"]), bodies)
    return st.one_of(choice, one_of, one_of, repeat)


PROGRAMS = _block(3, least=1)
