"""Architecture: one answer to all the open decisions of a space. Frozen, hashable, JSON."""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import ItemsView, Iterator, Mapping
from typing import Any

from netwright import strict_json
from netwright.errors import ArchitectureError

Answer = Any
"""The answer to a decision: None, a bool, an int, a finite float, a string, or a tuple of answers."""


_PLAIN = (str, int, bool)
"""Types of which two answers are the same when they are equal; of others the text decides (0.0 and -0.0 differ)."""


class Architecture(Mapping[str, Answer]):
    """An immutable mapping from the name of a decision to its answer, for the decisions that are really asked.

    Two architectures are equal when their canonical JSON is (so ``1``, ``1.0`` and ``True`` differ). The constructor
    trusts its answers, for speed; :meth:`from_json` and ``SearchSpace.validate`` do not.
    """

    __slots__ = ("_answers", "_hash")

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self._answers = dict(answers)
        self._hash: int | None = None

    def __getitem__(self, name: str) -> Answer:
        return self._answers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._answers)

    def __len__(self) -> int:
        return len(self._answers)

    def __contains__(self, name: object) -> bool:
        return name in self._answers

    def items(self) -> ItemsView[str, Answer]:
        return self._answers.items()

    def to_json(self) -> str:
        """The canonical text: sorted names, no spaces; equal architectures have equal texts."""
        # Not kept: a history of a hundred thousand would hold more text than answers.
        return json.dumps(self._answers, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Architecture:
        """Reads what :meth:`to_json` writes; raises InputError or ArchitectureError for anything else."""
        return cls.from_value(strict_json.loads(text, what="the architecture"))

    @classmethod
    def from_value(cls, value: Any) -> Architecture:
        """From the object that a JSON text holds: names to answers, lists become tuples."""
        if not isinstance(value, Mapping):
            raise ArchitectureError(
                f"an architecture is an object of decisions and their answers, found {type(value).__name__}"
            )
        for name in value:
            if not isinstance(name, str) or not name:
                raise ArchitectureError(f"the name of a decision is a non-empty string, found {name!r}")
        # Every text that is read has names and options of its own; a history of many needs each but once.
        return cls({_once(name): _once(freeze(answer, name)) for name, answer in value.items()})

    @property
    def key(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the canonical text: a short name that is stable."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def replace(self, **answers: Answer) -> Architecture:
        """A copy with some answers replaced or added; not validated."""
        return Architecture({**self._answers, **answers})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Architecture):
            return NotImplemented
        if self is other:
            return True
        if hash(self) != hash(other) or len(self._answers) != len(other._answers):
            return False
        for name, answer in self._answers.items():
            if name not in other._answers:
                return False
            found = other._answers[name]
            if answer is found:
                continue
            if type(answer) is not type(found) or type(answer) not in _PLAIN:
                return self.to_json() == other.to_json()
            if answer != found:
                return False
        return True

    def __hash__(self) -> int:
        # Of the answers, not of the text, which takes five times as long; 1, 1.0 and True may share a hash.
        if self._hash is None:
            try:
                self._hash = hash(frozenset(self._answers.items()))
            except TypeError:  # a list, which the text does not tell from a tuple
                self._hash = hash(frozenset((name, freeze(answer, name)) for name, answer in self._answers.items()))
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        return (Architecture, (self._answers,))

    def __str__(self) -> str:
        return " ".join(f"{name}={_short(answer)}" for name, answer in self._answers.items())

    def __repr__(self) -> str:
        return f"Architecture({self})"


def freeze(value: Any, name: str) -> Answer:
    """``value`` as an answer (lists become tuples); raises ArchitectureError naming the decision for anything else."""
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        raise ArchitectureError(f"decision '{name}': {value} is not finite")
    if isinstance(value, list | tuple):
        return tuple(freeze(item, name) for item in value)
    raise ArchitectureError(
        f"decision '{name}': an answer is None, a bool, a number, a string or a tuple of them, "
        f"found {type(value).__name__}"
    )


def _once(value: Answer) -> Answer:
    return sys.intern(value) if type(value) is str else value


def _short(answer: Answer) -> str:
    if isinstance(answer, float):
        return f"{answer:.4g}"
    if isinstance(answer, tuple):
        return "(" + ",".join(_short(item) for item in answer) + ")"
    return str(answer)
