"""Decision: one open question of a space, and the checks of those who ask it."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from netwright.architecture import Answer
from netwright.errors import SpaceError

MAX_OPTIONS = 100_000
MAX_BLOCKS = 1_000
MAX_NAME = 200
_MOST_STEPS = 2**53
RECIPE = "recipe."
"""How the names of decisions about training begin; no network depends on them."""

Kind = Literal["choose", "one_of", "repeat", "inputs", "range"]
Path = tuple[tuple[str, tuple[Answer, ...]], ...]
"""A conjunction: each named decision is active and its answer is one of those allowed."""


@dataclass(frozen=True)
class Decision:
    """One open question of a space.

    ``options`` holds the values in their declared order; it is None for a continuous range, and for a range of
    integers or steps with more than 100,000 values. ``conditions`` says when the question is asked: when any of the
    paths holds; empty means always. ``low``, ``high``, ``log`` and ``step`` belong to ranges (``low`` and ``high`` to
    ``repeat`` too), ``count`` and ``pick`` to ``inputs``. ``source`` is the place in the user's code.
    """

    name: str
    kind: Kind
    options: tuple[Answer, ...] | None
    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    step: int | float | None = None
    count: int | None = None
    pick: int | None = None
    conditions: tuple[Path, ...] = ()
    source: str = field(default="", compare=False)

    @property
    def conditional(self) -> bool:
        """Whether some architectures do not ask it."""
        return bool(self.conditions)

    @property
    def of_training(self) -> bool:
        """Whether it is about training, by its name, and not about the network."""
        return self.name.startswith(RECIPE)

    @property
    def continuous(self) -> bool:
        """Whether its values cannot be counted."""
        return self.options is None and self.step is None

    @property
    def numeric(self) -> bool:
        """Whether its values are numbers, which have an order and a distance."""
        if self.kind in ("range", "repeat"):
            return True
        if self.kind != "choose":
            return False
        assert self.options is not None
        return all(type(option) in (int, float) for option in self.options)

    @cached_property
    def cardinality(self) -> int | float:
        """How many values it has; infinity for a continuous range."""
        if self.options is not None:
            return len(self.options)
        return math.inf if self.step is None else _grid_length(self.low, self.high, self.step)

    @property
    def weight(self) -> int:
        """What it counts for in a uniform draw: its number of values, one for a continuous range."""
        return 1 if self.continuous else int(self.cardinality)

    @property
    def first(self) -> Answer:
        """The first value: the first option, or the low end."""
        return self.low if self.options is None else self.options[0]

    @cached_property
    def _positions(self) -> dict[Any, int]:
        assert self.options is not None
        return {
            option if type(option) is str else typed(option): position for position, option in enumerate(self.options)
        }

    def position(self, value: Answer) -> int | None:
        """The index of ``value`` among the options (0 for any value of a continuous range); None where it is none.

        ``1``, ``1.0`` and ``True`` are three values.
        """
        if self.options is not None:
            try:
                return self._positions.get(value if type(value) is str else typed(value))
            except TypeError:  # a list or another thing that no option is
                return None
        assert self.low is not None
        assert self.high is not None
        if type(value) is not type(self.low) or not self.low <= value <= self.high:
            return None
        if self.step is None:
            return 0
        index = round((value - self.low) / self.step)
        return index if 0 <= index < self.cardinality and self.value(index) == value else None

    def value(self, position: int) -> Answer:
        """The value at a position; for finite decisions only."""
        if self.options is not None:
            return self.options[position]
        assert self.low is not None
        assert self.step is not None
        return _grid_value(self.low, self.step, position)

    def draw(self, u: float) -> Answer:
        """The value at ``u`` in [0, 1): uniform, or uniform in the logarithm where ``log``."""
        if self.options is not None and not self.log:
            return self.options[int(u * len(self.options))]
        if self.options is not None and len(self.options) == 1:
            return self.options[0]
        assert self.low is not None
        assert self.high is not None
        if self.step is None:
            if self.low == self.high:
                return self.low
            if not self.log:
                return min(self.high, max(self.low, self.low + u * (self.high - self.low)))
            span = math.log(self.low), math.log(self.high)
            return min(self.high, max(self.low, math.exp(span[0] + u * (span[1] - span[0]))))
        if not self.log:
            return self.value(min(int(u * self.cardinality), int(self.cardinality) - 1))
        # Each value of a logarithmic grid owns the stretch up to half a step around it.
        start, end = math.log(max(self.low - self.step / 2, self.low / 2)), math.log(self.high + self.step / 2)
        index = round((math.exp(start + u * (end - start)) - self.low) / self.step)
        return self.value(min(max(index, 0), int(self.cardinality) - 1))

    def question(self) -> tuple[Any, ...]:
        """What is asked, whenever it is: equal for two words that may share a name."""
        options = None if self.options is None else tuple(typed(option) for option in self.options)
        ends = (typed(self.low), typed(self.high), self.log, typed(self.step))
        return (self.kind, options, *ends, self.count, self.pick)

    def values_text(self) -> str:
        """Its values in a few words."""
        if self.options is not None and len(self.options) == 1:
            return show(self.options[0])
        if self.kind == "inputs":
            return f"{self.pick} of {self.count} inputs"
        if self.kind == "repeat":
            return f"{self.low} to {self.high} times"
        if self.kind == "range":
            text = f"{show(self.low)} to {show(self.high)}"
            if self.step is not None and (isinstance(self.low, float) or self.step != 1):
                text += f" by {show(self.step)}"
            return text + (" (log)" if self.log else "")
        assert self.options is not None
        return shorten([show(option) for option in self.options])


def typed(value: Any) -> Any:
    """A key that keeps ``1``, ``1.0`` and ``True`` apart."""
    return (tuple, repr(value)) if type(value) is tuple else (type(value), value)


def show(value: Answer) -> str:
    """An answer as people write it: a string bare, everything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return "(" + ", ".join(show(item) for item in value) + ")"
    return json.dumps(value)


def shorten(words: Sequence[str], limit: int = 10) -> str:
    """The words with commas between; those beyond the limit are counted."""
    if len(words) <= limit:
        return ", ".join(words)
    return ", ".join(words[: limit - 1]) + f", … ({len(words):,} in all)"


def checked_name(name: object, what: str = "the name of a decision") -> str:
    """``name``, or a SpaceError: a name is a printable, non-empty string of at most 200 characters."""
    if not isinstance(name, str) or not name:
        raise SpaceError(f"{what} is a non-empty string, found {name!r}")
    if len(name) > MAX_NAME:
        raise SpaceError(f"{what} has at most {MAX_NAME} characters, '{name[:40]}…' has {len(name):,}")
    if not name.isprintable():
        raise SpaceError(f"{what} holds only printable characters, found {name!r}")
    return str.__str__(name)


def of_options(name: str, options: Sequence[Any]) -> Decision:
    """The decision of ``choose(name, *options)``."""
    if not options:
        raise SpaceError(f"decision '{name}' has no options", hint=f"Give some: choose('{name}', 16, 32, 64).")
    if len(options) > MAX_OPTIONS:
        raise SpaceError(
            f"decision '{name}' has {len(options):,} options, at most {MAX_OPTIONS:,} are taken",
            hint=f"Use a range: choose('{name}', low=…, high=…).",
        )
    values = tuple(_option(name, option) for option in options)
    _refuse_twice(name, values)
    return Decision(name, "choose", values)


def of_range(name: str, low: Any, high: Any, log: bool, step: Any) -> Decision:
    """The decision of ``choose(name, low=, high=, log=, step=)``: of integers where all that is given is one."""
    if low is None or high is None:
        missing = "low" if low is None else "high"
        raise SpaceError(f"the range of decision '{name}' has no {missing}", hint="Give both low= and high=.")
    low, high = _number(name, "low", low), _number(name, "high", high)
    step = None if step is None else _number(name, "step", step)
    if not all(isinstance(value, int) for value in (low, high, step) if value is not None):
        low, high, step = float(low), float(high), None if step is None else float(step)
    if low > high:
        raise SpaceError(
            f"the range of decision '{name}' is empty: low={show(low)} is above high={show(high)}",
            hint="Exchange them.",
        )
    if log and low <= 0:
        raise SpaceError(
            f"decision '{name}': a logarithmic range starts above 0, found low={show(low)}",
            hint="Raise low, or leave log out.",
        )
    if step is not None and step <= 0:
        raise SpaceError(f"decision '{name}': a step is positive, found step={show(step)}")
    if step is None and isinstance(low, int):
        step = 1
    if isinstance(low, float) and not math.isfinite(high - low):
        raise SpaceError(f"decision '{name}': the range from {show(low)} to {show(high)} is too wide for a float")
    if step is not None and (high - low) // step >= _MOST_STEPS:
        raise SpaceError(
            f"decision '{name}': the range from {show(low)} to {show(high)} has more than {_MOST_STEPS:,} steps",
            hint="Use a larger step, or a continuous range (floats without a step).",
        )
    options: tuple[Answer, ...] | None = None
    if low == high:
        options = (low,)
    elif step is not None:
        length = _grid_length(low, high, step)
        if length <= MAX_OPTIONS:
            options = tuple(_grid_value(low, step, index) for index in range(length))
    return Decision(name, "range", options, low=low, high=high, log=bool(log), step=step)


def of_candidates(name: str, candidates: Iterable[str]) -> Decision:
    """The decision of ``one_of(name, **candidates)``; its values are the candidates' names."""
    names = tuple(checked_name(candidate, f"the name of a candidate of '{name}'") for candidate in candidates)
    if not names:
        raise SpaceError(
            f"decision '{name}' has no candidates", hint=f"Give some: one_of('{name}', skip=nn.Identity, …)."
        )
    return Decision(name, "one_of", names)


def of_repeat(name: str, low: Any, high: Any) -> Decision:
    """The decision of ``repeat(name, block, low, high)``; its values are the numbers of blocks."""
    low, high = _whole(name, "low", low), _whole(name, "high", high)
    if low < 0:
        raise SpaceError(f"decision '{name}': a block is repeated 0 times or more, found low={low}")
    if low > high:
        raise SpaceError(f"decision '{name}': low={low} is above high={high}", hint="Exchange them.")
    if high > MAX_BLOCKS:
        raise SpaceError(f"decision '{name}': a block is repeated at most {MAX_BLOCKS:,} times, found high={high:,}")
    return Decision(name, "repeat", tuple(range(low, high + 1)), low=low, high=high)


def of_inputs(name: str, count: Any, pick: Any) -> Decision:
    """The decision of ``inputs(name, count, pick)``; its values are the ascending tuples of ``pick`` indices."""
    count, pick = _whole(name, "count", count), _whole(name, "pick", pick)
    if not 1 <= pick <= count:
        raise SpaceError(f"decision '{name}': pick is 1 to count={count}, found pick={pick}")
    if math.comb(count, pick) > MAX_OPTIONS:
        raise SpaceError(
            f"decision '{name}' has {math.comb(count, pick):,} ways to pick {pick} of {count} inputs, "
            f"at most {MAX_OPTIONS:,} are taken",
            hint="Split it into several decisions with pick=1.",
        )
    return Decision(name, "inputs", tuple(itertools.combinations(range(count), pick)), count=count, pick=pick)


def _option(name: str, option: Any) -> Answer:
    """``option`` as a plain JSON scalar or a tuple of them."""
    if isinstance(option, np.generic):
        option = option.item()
    if option is None or isinstance(option, bool):
        return option
    if isinstance(option, int):
        return int(option)
    if isinstance(option, float):
        if not math.isfinite(option):
            raise SpaceError(f"decision '{name}': the option {option} is not a finite number")
        return float(option)
    if isinstance(option, str):
        text = str.__str__(option)
        try:
            text.encode()
        except UnicodeEncodeError:
            raise SpaceError(f"decision '{name}': the option {text!r} holds a lone surrogate") from None
        return text
    if isinstance(option, tuple):
        return tuple(_option(name, item) for item in option)
    if isinstance(option, list):
        raise SpaceError(
            f"decision '{name}': the option {option!r:.80} is a list",
            hint=f"Write it as a tuple: {tuple(option)!r:.80}.",
        )
    found = f"the class {option.__name__}" if isinstance(option, type) else f"a {type(option).__name__}"
    raise SpaceError(
        f"decision '{name}': an option of choose is None, a bool, a number, a string or a tuple of them, found {found}",
        hint=f"Layers and other objects are for one_of('{name}', a_name=lambda: …).",
    )


def _refuse_twice(name: str, values: tuple[Answer, ...]) -> None:
    seen = set()
    for value in values:
        if typed(value) in seen:
            raise SpaceError(f"decision '{name}' has the option {show(value)} twice", hint="Leave one of them out.")
        seen.add(typed(value))


def _number(name: str, what: str, value: Any) -> int | float:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SpaceError(f"decision '{name}': {what} is a number, found {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise SpaceError(f"decision '{name}': {what} is a finite number, found {value}")
    return value


def _whole(name: str, what: str, value: Any) -> int:
    if isinstance(value, np.integer):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int):
        raise SpaceError(f"decision '{name}': {what} is a whole number, found {value!r}")
    return int(value)


def _grid_length(low: Any, high: Any, step: Any) -> int:
    if isinstance(step, int):
        return int((int(high) - int(low)) // step + 1)
    length: int = math.floor((high - low) / step * (1 + 1e-12) + 1e-9) + 1
    return length


def _grid_value(low: Any, step: Any, index: int) -> Answer:
    # Twelve digits: 0.1 * 3 is to be 0.3, not 0.30000000000000004.
    value: Answer = low + index * step if isinstance(step, int) else float(f"{low + index * step:.12g}")
    return value
