"""A strategy from the text that names it: ``evolution``, ``evolution(population=10, tournament=3)``."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from netwright.errors import InputError, NetwrightError, nearest, sentence
from netwright.strategies import STRATEGIES
from netwright.strategies.base import Strategy

DEPTH = 8
"""Tuples may stand in each other so deep."""

_PLAIN = re.compile(r"""[^\s,()\[\]='"]+""")
_QUOTED = re.compile(r"""'([^']*)'|"([^"]*)\"""")
_WHOLE = re.compile(r"[+-]?\d{1,18}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_CONSTANTS = {"true": True, "false": False, "none": None}


Kinds = Mapping[str, Callable[..., Any]]


def make(text: str) -> Strategy:
    """The strategy that ``text`` names, made with the arguments in its brackets.

    Arguments are those of the constructor, by name or in its order, and literals: whole numbers, numbers, strings
    (quoted, or bare where nothing in them could mean something else), ``true``, ``false``, ``none``, and tuples of
    these. Nothing is evaluated. InputError for a name or an argument that is not known (with the nearest), and for
    what the constructor refuses.

    >>> make("evolution(population=10, tournament=3)").population
    10
    """
    made: Strategy = make_of(text, STRATEGIES, "strategy")
    return made


def make_of(text: str, kinds: Kinds, what: str) -> Any:
    """As :func:`make`, of any ``kinds`` by their names; ``what`` they are called in messages."""
    name, arguments = read(text, kinds, what)
    try:
        return kinds[name](**arguments)
    except NetwrightError:
        raise
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} '{name}' cannot be made by '{text}': {error}") from error


def read(text: str, kinds: Kinds = STRATEGIES, what: str = "strategy") -> tuple[str, dict[str, Any]]:
    """The name and the arguments, by the names that the constructor has for them; makes nothing."""
    reader = _Reader(text, what)
    name = reader.name()
    if name not in kinds:
        raise InputError(f"unknown {what} '{name}'", hint=sentence(nearest(name, kinds)))
    positional, keyword = reader.arguments()
    return name, _bound(name, positional, keyword, kinds, what)


def defaults(name: str, kinds: Kinds = STRATEGIES) -> dict[str, Any]:
    """The arguments that a strategy takes, with their defaults; ``...`` for one that must be given."""
    parameters = inspect.signature(kinds[name]).parameters.values()
    return {
        p.name: ... if p.default is p.empty else p.default
        for p in parameters
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    }


def split(text: str) -> list[str]:
    """A list of such texts with commas between them, taken apart; commas within brackets and quotes stay."""
    parts, depth, quote, begin = [], 0, "", 0
    for place, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(text[begin:place])
            begin = place + 1
    return [part.strip() for part in (*parts, text[begin:]) if part.strip()]


def _bound(name: str, positional: list[Any], keyword: Mapping[str, Any], kinds: Kinds, what: str) -> dict[str, Any]:
    parameters = inspect.signature(kinds[name]).parameters.values()
    ordered = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    known = [*ordered, *(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)]
    if len(positional) > len(ordered):
        raise InputError(
            f"{what} '{name}' takes {_count(len(ordered))} without a name, found {len(positional)}",
            hint=f"Its arguments: {', '.join(known)}." if known else f"Write it as '{name}'.",
        )
    arguments = dict(zip(ordered, positional, strict=False))
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters)
    for argument, value in keyword.items():
        if argument not in known and not anything:
            hint = sentence(nearest(argument, known)) if known else f"It takes none: write it as '{name}'."
            raise InputError(f"{what} '{name}' has no argument '{argument}'", hint=hint)
        if argument in arguments:
            raise InputError(f"{what} '{name}': the argument '{argument}' is given twice")
        arguments[argument] = value
    missing = [p.name for p in parameters if p.default is p.empty and p.name in known and p.name not in arguments]
    if missing:
        raise InputError(f"{what} '{name}' needs {missing[0]}=", hint=f"Write {name}({missing[0]}=…).")
    return arguments


class _Reader:
    """Reads such a text from the left to the right."""

    def __init__(self, text: str, what: str) -> None:
        self.text, self.what = text, what
        self.place = 0

    def name(self) -> str:
        found = self.plain()
        if found is None:
            raise InputError(f"a {self.what} is a name, or name(argument=value, …), found {self.text[:80]!r}")
        return found

    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        positional: list[Any] = []
        keyword: dict[str, Any] = {}
        if self.take("("):
            while not self.take(")"):
                before = self.place
                argument = self.plain()
                if argument is not None and self.take("="):
                    if argument in keyword:
                        raise self.wrong(f"the argument '{argument}' is given twice")
                    keyword[argument] = self.value()
                else:
                    self.place = before
                    if keyword:
                        raise self.wrong("an argument without a name follows one with a name")
                    positional.append(self.value())
                if not self.take(",") and self.peek() != ")":
                    raise self.wrong("expected a comma or the closing bracket")
        if self.peek():
            raise self.wrong("expected the end")
        return positional, keyword

    def value(self, depth: int = 0) -> Any:
        for begin, end in ("()", "[]"):
            if self.take(begin):
                if depth == DEPTH:
                    raise self.wrong(f"tuples stand in each other more than {DEPTH} deep")
                items = []
                while not self.take(end):
                    items.append(self.value(depth + 1))
                    if not self.take(",") and self.peek() != end:
                        raise self.wrong(f"expected a comma or '{end}'")
                return tuple(items)
        quoted = _QUOTED.match(self.text, self.place)
        if quoted:
            self.place = quoted.end()
            return quoted[1] if quoted[2] is None else quoted[2]
        word = self.plain()
        if word is None:
            raise self.wrong("expected a value")
        if word.lower() in _CONSTANTS:
            return _CONSTANTS[word.lower()]
        if _WHOLE.fullmatch(word):
            return int(word)
        return float(word) if _NUMBER.fullmatch(word) and math.isfinite(float(word)) else word

    def plain(self) -> str | None:
        self.peek()
        found = _PLAIN.match(self.text, self.place)
        if found is None:
            return None
        self.place = found.end()
        return found[0]

    def take(self, character: str) -> bool:
        if self.peek() != character:
            return False
        self.place += 1
        return True

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while self.text[self.place : self.place + 1].isspace():
            self.place += 1
        return self.text[self.place : self.place + 1]

    def wrong(self, what: str) -> InputError:
        left = self.text[self.place : self.place + 20]
        return InputError(
            f"{self.what} '{self.text:.80}': {what} {f'before {left!r}' if left else 'at its end'}",
            hint="Write it as evolution(population=10, tournament=3).",
        )


def _count(number: int) -> str:
    return "no argument" if number == 0 else f"{number} argument{'s' * (number != 1)}"
