"""What the words mean: the same constructor is run under one reading or another.

The reading in force is a context variable, as ``torch.device`` is. A new reading is a new :class:`Reading`; the words
do not change for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from netwright.architecture import Answer
from netwright.errors import SpaceError
from netwright.space.conditions import MAX_PATHS, Paths, literal_text
from netwright.space.decisions import Decision, checked_name, show
from netwright.space.places import place

if TYPE_CHECKING:
    from torch import nn


Candidates = Mapping[str, Callable[[], "nn.Module"]]
Combine = str | Callable[..., Any] | None

MAX_MEETINGS = 100_000
MAX_DEPTH = 64

SCOPE: ContextVar[str] = ContextVar("netwright_scope", default="")
_READING: ContextVar[Reading | None] = ContextVar("netwright_reading", default=None)


class Picked(Protocol):
    """What ``inputs`` gives: the picked indices, called on all the states."""

    @property
    def name(self) -> str: ...
    @property
    def among(self) -> int: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[int]: ...
    def __getitem__(self, place: Any, /) -> Any: ...
    def each(self, block: Callable[[int], nn.Module]) -> nn.ModuleList: ...
    def __call__(self, states: Sequence[Any], edges: Any = None) -> Any: ...


class Reading(ABC):
    """What each word gives."""

    @abstractmethod
    def choose(self, decision: Decision) -> Answer:
        """The value that the constructor goes on with."""

    @abstractmethod
    def one_of(self, decision: Decision, candidates: Candidates) -> nn.Module:
        """The module that stands for the candidates."""

    @abstractmethod
    def repeat(self, decision: Decision, block: Callable[[int], nn.Module]) -> nn.Sequential:
        """The module that stands for the blocks."""

    @abstractmethod
    def inputs(self, decision: Decision, combine: Combine) -> Picked:
        """What the forward pass calls with the states."""

    @abstractmethod
    def each(self, picked: Picked, block: Callable[[int], nn.Module]) -> nn.ModuleList:
        """The layers on the connections of ``picked``."""

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Words mean what this reading says, inside the block."""
        reading, prefix = _READING.set(self), SCOPE.set("")
        try:
            yield
        finally:
            _READING.reset(reading)
            SCOPE.reset(prefix)


def current(word: str, name: object) -> Reading:
    """The reading in force; a SpaceError where there is none."""
    reading = _READING.get()
    if reading is None:
        raise SpaceError(
            f"{word}({name!r:.80}) at {place()} was called outside a search space",
            hint="Words stand in a network's constructor, and a space runs it: nw.SearchSpace(Net, …).",
        )
    return reading


def scoped(name: object) -> str:
    """The full name of a decision, with the scopes around it."""
    if not isinstance(name, str) or not name:
        return checked_name(name)
    return checked_name(SCOPE.get() + name)


class Outline(Reading):
    """Notes every decision and the contexts in which it is met; runs all candidates and all blocks once.

    ``choose`` gives the first value, ``one_of`` the first candidate's module, ``repeat`` the longest row.
    """

    def __init__(self) -> None:
        self.decisions: dict[str, Decision] = {}
        self.contexts: dict[str, Paths] = {}
        self._path: dict[str, frozenset[Answer]] = {}
        self._depth = 0
        self._meetings = 0
        self._failure: tuple[BaseException, str] | None = None

    def choose(self, decision: Decision) -> Answer:
        self._meet(decision)
        return decision.first

    def one_of(self, decision: Decision, candidates: Candidates) -> nn.Module:
        self._meet(decision)
        allowed = self._path.get(decision.name)
        first: nn.Module | None = None
        for candidate, make in candidates.items():
            # Inside its own candidate a decision is already taken: the other candidates cannot be met there.
            if allowed is None or candidate in allowed:
                with self._under(decision.name, frozenset({candidate})):
                    module = checked_module(make(), f"candidate '{candidate}' of decision '{decision.name}'")
                first = module if first is None else first
        assert first is not None
        return first

    def repeat(self, decision: Decision, block: Callable[[int], nn.Module]) -> nn.Sequential:
        from torch import nn

        self._meet(decision)
        assert decision.options is not None
        allowed = self._path.get(decision.name, frozenset(decision.options))
        blocks = []
        for index in range(max(allowed)):
            self._count(decision)
            with self._under(decision.name, frozenset(option for option in allowed if option > index)):
                blocks.append(checked_module(block(index), f"block {index} of decision '{decision.name}'"))
        return nn.Sequential(*blocks)

    def inputs(self, decision: Decision, combine: Combine) -> Picked:
        from netwright.space.words import Inputs

        self._meet(decision)
        return Inputs(decision.first, decision.count or 0, combine, decision.name)

    def each(self, picked: Picked, block: Callable[[int], nn.Module]) -> nn.ModuleList:
        from torch import nn

        decision = self.decisions[picked.name]
        assert decision.options is not None
        allowed = self._path.get(picked.name, frozenset(decision.options))
        layers = []
        for index in range(picked.among):
            self._count(decision)
            with_it = frozenset(option for option in allowed if index in option)
            if with_it:
                with self._under(picked.name, with_it):
                    module = checked_module(block(index), f"the layer on input {index} of decision '{picked.name}'")
                if index in picked:
                    layers.append(module)
        return nn.ModuleList(layers)

    def where(self, error: BaseException) -> str:
        """The path that was being outlined when ``error`` was raised, in words; empty at the top."""
        return self._failure[1] if self._failure is not None and self._failure[0] is error else ""

    def _meet(self, decision: Decision) -> None:
        name = decision.name
        known = self.decisions.get(name)
        if known is None:
            self.decisions[name] = replace(decision, source=place())
            self.contexts[name] = Paths()
        elif known.question() != decision.question():
            raise SpaceError(
                f"decision '{name}' is declared twice and differently: {known.kind} of {known.values_text()} at "
                f"{known.source}, and {decision.kind} of {decision.values_text()} at {place()}",
                hint="The same name is the same decision: give one of them another name, or both the same options.",
            )
        self._count(decision)
        paths = self.contexts[name]
        paths.add(self._path)
        if len(paths) > MAX_PATHS:
            raise SpaceError(f"decision '{name}' is met in more than {MAX_PATHS:,} different contexts")

    def _count(self, decision: Decision) -> None:
        self._meetings += 1
        if self._meetings > MAX_MEETINGS:
            raise SpaceError(
                f"the constructor meets more than {MAX_MEETINGS:,} decisions and blocks (at '{decision.name}')",
                hint="Share cells by giving their decisions the same names, or nest less.",
            )

    @contextmanager
    def _under(self, name: str, allowed: frozenset[Answer]) -> Iterator[None]:
        if self._depth >= MAX_DEPTH:
            raise SpaceError(
                f"decisions are nested more than {MAX_DEPTH} deep at '{name}': a block that contains itself has no end",
                hint="Pass the depth along and stop at a fixed one.",
            )
        before = self._path
        self._path = {**before, name: allowed}
        self._depth += 1
        try:
            yield
        except Exception as error:
            if self._failure is None or self._failure[0] is not error:
                self._failure = (error, self._text())
            raise
        finally:
            self._path = before
            self._depth -= 1

    def _text(self) -> str:
        parts = []
        for name, allowed in self._path.items():
            decision = self.decisions[name]
            assert decision.options is not None
            if len(allowed) < len(decision.options):
                parts.append(literal_text(name, [o for o in decision.options if o in allowed], decision))
        return ", ".join(parts)


class Build(Reading):
    """Gives what an architecture chose, and nothing of ours.

    What the outline does not know is found out here: it was hidden behind a Python ``if`` or ``for`` on a chosen value.
    """

    def __init__(self, declared: Mapping[str, Decision], answers: Mapping[str, Answer]) -> None:
        self._declared = declared
        self._answers = answers
        self._asked: set[str] = set()

    def choose(self, decision: Decision) -> Answer:
        return self._answer(decision)

    def one_of(self, decision: Decision, candidates: Candidates) -> nn.Module:
        chosen = self._answer(decision)
        return checked_module(candidates[chosen](), f"candidate '{chosen}' of decision '{decision.name}'")

    def repeat(self, decision: Decision, block: Callable[[int], nn.Module]) -> nn.Sequential:
        from torch import nn

        chosen = self._answer(decision)
        what = f"decision '{decision.name}'"
        return nn.Sequential(*(checked_module(block(index), f"block {index} of {what}") for index in range(chosen)))

    def inputs(self, decision: Decision, combine: Combine) -> Picked:
        from netwright.space.words import Inputs

        return Inputs(self._answer(decision), decision.count or 0, combine, decision.name)

    def each(self, picked: Picked, block: Callable[[int], nn.Module]) -> nn.ModuleList:
        from torch import nn

        what = f"decision '{picked.name}'"
        layers = [checked_module(block(index), f"the layer on input {index} of {what}") for index in picked]
        return nn.ModuleList(layers)

    def finish(self) -> None:
        """Raises SpaceError where the outline knows a decision that the constructor did not ask for."""
        left = [name for name in self._answers if name not in self._asked]
        if left:
            names = ", ".join(f"'{name}' (at {self._declared[name].source})" for name in left[:5])
            raise SpaceError(
                f"the constructor did not ask for {names} although the outline says so for this architecture",
                hint=_HIDDEN,
            )

    def _answer(self, decision: Decision) -> Answer:
        name = decision.name
        known = self._declared.get(name)
        if known is None:
            raise SpaceError(f"decision '{name}' at {place()} is unknown to the outline of the space", hint=_HIDDEN)
        if known.question() != decision.question():
            raise SpaceError(
                f"decision '{name}' at {place()} asks for {decision.kind} of {decision.values_text()}, but the outline "
                f"knows it as {known.kind} of {known.values_text()} (at {known.source})",
                hint="Options must not depend on a chosen value: give each case its own name inside one_of.",
            )
        if name not in self._answers:
            chosen = ", ".join(f"{other}={show(answer)}" for other, answer in list(self._answers.items())[:10])
            raise SpaceError(
                f"decision '{name}' at {place()} is asked for, but by the outline this architecture ({chosen}) does "
                "not ask it",
                hint=_HIDDEN,
            )
        self._asked.add(name)
        return self._answers[name]


_HIDDEN = (
    "It is hidden behind a Python if or for on a chosen value, which the outline cannot see: "
    "use one_of(name, a=lambda: …, b=lambda: …) instead of the if, repeat(name, block, low, high) instead of the for."
)


def checked_module(made: Any, what: str) -> nn.Module:
    """``made`` if it is a module."""
    from torch import nn

    if not isinstance(made, nn.Module):
        raise SpaceError(
            f"{what} is a function that makes a module, it made {made!r:.80}",
            hint="Return an nn.Module (nn.Identity() for none); values are for choose.",
        )
    return made
