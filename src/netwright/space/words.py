"""The words that mark what is open in a network: choose, one_of, repeat, inputs, scope.

They are used in the constructor of an ordinary ``nn.Module``, and mean what the reading in force makes of them
(:mod:`netwright.space.readings`). A name is a decision's identity: the same name met twice is the same decision.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from netwright.errors import SpaceError
from netwright.space import decisions, readings

if TYPE_CHECKING:
    from torch import nn

COMBINE = ("sum", "mean", "concat", "product")


def choose(
    name: str,
    *options: Any,
    low: float | None = None,
    high: float | None = None,
    log: bool = False,
    step: float | None = None,
) -> Any:
    """One of the options (None, bools, numbers, strings, tuples of them), or a number from ``low`` to ``high``.

    A range of integers gives integers and a range with a float gives floats; ``step`` makes the latter finite (values
    are ``low``, ``low + step``, … up to ``high``). ``log`` draws, moves and scales in the logarithm.
    """
    reading = readings.current("choose", name)
    name = readings.scoped(name)
    ranged = low is not None or high is not None
    if options and (ranged or log or step is not None):
        raise SpaceError(
            f"decision '{name}' has options and a range", hint="Give either options, or low= and high=, not both."
        )
    if ranged:
        return reading.choose(decisions.of_range(name, low, high, log, step))
    if log or step is not None:
        raise SpaceError(f"decision '{name}': log and step belong to a range", hint="Give low= and high=.")
    return reading.choose(decisions.of_options(name, options))


def one_of(name: str, /, **candidates: Callable[[], nn.Module]) -> nn.Module:
    """The module of one candidate; a candidate is a function without arguments that makes one.

    Decisions inside a candidate exist only when it is chosen.
    """
    reading = readings.current("one_of", name)
    name = readings.scoped(name)
    decision = decisions.of_candidates(name, candidates)
    from torch import nn

    for candidate, make in candidates.items():
        if isinstance(make, nn.Module):
            raise SpaceError(
                f"candidate '{candidate}' of decision '{name}' is a module that is already made",
                hint=f"Give a function that makes it: {candidate}=lambda: {type(make).__name__}(…).",
            )
        if not callable(make):
            raise SpaceError(
                f"candidate '{candidate}' of decision '{name}' is a function that makes a module, "
                f"found {type(make).__name__}",
                hint=f"Values are for choose('{name}', …).",
            )
    return reading.one_of(decision, candidates)


def repeat(name: str, block: Callable[[int], nn.Module], low: int, high: int) -> nn.Sequential:
    """``low`` to ``high`` blocks in a row, ``block(0)``, ``block(1)``, …, as an ``nn.Sequential``.

    Decisions inside a block exist only when there are so many blocks.
    """
    reading = readings.current("repeat", name)
    name = readings.scoped(name)
    decision = decisions.of_repeat(name, low, high)
    from torch import nn

    if isinstance(block, nn.Module) or not callable(block):
        raise SpaceError(
            f"decision '{name}' repeats a function from a block's index to a module, found {type(block).__name__}",
            hint=f"Write repeat('{name}', lambda i: …, {low}, {high}).",
        )
    return reading.repeat(decision, block)


def inputs(name: str, count: int, pick: int = 1, combine: str | Callable[..., Any] | None = "sum") -> readings.Picked:
    """Which ``pick`` of ``count`` earlier states come in; call it on the list of them to have them combined.

    ``combine`` is "sum", "mean", "concat" (along dimension 1), "product", a function of the list of those picked, or
    None for the tuple of them. :meth:`Inputs.each` puts a layer on each connection, as in the cells of DARTS::

        self.pick = inputs("node2", 4, pick=2)
        self.edges = self.pick.each(lambda j: one_of(f"node2.edge{j}", conv=…, skip=…))
        …
        self.pick(states, self.edges)
    """
    reading = readings.current("inputs", name)
    name = readings.scoped(name)
    decision = decisions.of_inputs(name, count, pick)
    if combine is not None and not callable(combine) and combine not in COMBINE:
        raise SpaceError(
            f"decision '{name}': combine is {', '.join(map(repr, COMBINE))}, None or a function, found {combine!r}"
        )
    return reading.inputs(decision, combine)


@contextmanager
def scope(name: str) -> Iterator[None]:
    """Puts ``name.`` before the names of all decisions inside: ``with scope("stem"): choose("width", 8, 16)``."""
    readings.current("scope", name)
    token = readings.SCOPE.set(readings.SCOPE.get() + decisions.checked_name(name, "the name of a scope") + ".")
    try:
        yield
    finally:
        readings.SCOPE.reset(token)


class Inputs(tuple[int, ...]):
    """The indices of the states that were picked; call it on all the states to pick and combine them.

    It is no module: tracing a network goes through its call and leaves plain operators.
    """

    among: int
    combine: str | Callable[..., Any] | None
    name: str

    def __new__(
        cls, picked: Sequence[int], among: int, combine: str | Callable[..., Any] | None = "sum", name: str = ""
    ) -> Inputs:
        self = super().__new__(cls, picked)
        self.among = among
        self.combine = combine
        self.name = name
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return (Inputs, (tuple(self), self.among, self.combine, self.name))

    def __repr__(self) -> str:
        return f"Inputs({', '.join(map(str, self))} of {self.among}, {self.combine!r})"

    def each(self, block: Callable[[int], nn.Module]) -> nn.ModuleList:
        """A layer for each connection that was picked: ``block(index)``, in the order of the indices.

        Decisions inside a block exist only when its state is picked.
        """
        return layers_on(self, block)

    def __call__(self, states: Sequence[Any], edges: Any = None) -> Any:
        """The picked states, each through its layer where :meth:`each` made some, combined."""
        if isinstance(states, list | tuple) and len(states) != self.among:
            raise SpaceError(f"inputs was declared for {self.among} states, its call was given {len(states)}")
        picked = [states[index] for index in self]
        if edges is not None:
            picked = [edge(state) for edge, state in zip(edges, picked, strict=True)]
        return combined(picked, self.combine)


def layers_on(picked: readings.Picked, block: Callable[[int], nn.Module]) -> nn.ModuleList:
    """What ``picked.each(block)`` gives, whatever the reading makes of picked inputs."""
    reading = readings.current("each", picked.name)
    from torch import nn

    if isinstance(block, nn.Module) or not callable(block):
        raise SpaceError(
            f"inputs '{picked.name}': each takes a function from a state's index to a module, "
            f"found {type(block).__name__}",
            hint="Write each(lambda j: …).",
        )
    return reading.each(picked, block)


def combined(picked: Sequence[Any], combine: str | Callable[..., Any] | None) -> Any:
    """What becomes of the states that were picked."""
    if combine is None:
        return tuple(picked)
    if callable(combine):
        return combine(picked)
    if len(picked) == 1:
        return picked[0]
    if combine == "concat":
        import torch

        return torch.cat(list(picked), 1)
    if combine == "product":
        return functools.reduce(operator.mul, picked)
    total = functools.reduce(operator.add, picked)
    return total / len(picked) if combine == "mean" else total
