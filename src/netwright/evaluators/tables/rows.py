"""From an architecture to its row, in constant time: mixed-radix arithmetic over the positions of its answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.architecture import Answer, Architecture
from netwright.errors import InputError
from netwright.space import Decision

MOST_CELLS = 2**26
"""Up to so many combinations the rows stand in one array; beyond in a dictionary."""


@final
class Rows:
    """The rows of a table over decisions; callable: whether an architecture has a row (a rule for ``where``).

    ``choices`` is (N, D): the position of each answer among the options of its decision, −1 where the decision is
    not asked. Raises InputError for positions that no option has and for an architecture that stands there twice.
    """

    def __init__(self, options: Mapping[str, Sequence[Answer]], choices: NDArray[Any]) -> None:
        self.names = tuple(options)
        self.options = tuple(tuple(values) for values in options.values())
        self.choices = _checked(self.names, self.options, choices)
        # The digit 0 is for "not asked", so that conditional decisions need no case of their own.
        weights: list[int] = []
        weight = 1
        for values in reversed(self.options):
            weights.append(weight)
            weight *= len(values) + 1
        self._weights = weights[::-1]
        self._digits = [
            (name, _digits(values, weight))
            for name, values, weight in zip(self.names, self.options, self._weights, strict=True)
        ]
        self._asked_always = bool((self.choices >= 0).all())
        self._rows: NDArray[np.int32] | None = None
        self._sparse: dict[int, int] = {}
        if weight <= MOST_CELLS:
            places = (self.choices.astype(np.int64) + 1) @ np.array(self._weights, dtype=np.int64)
            _refuse_twice(places)
            self._rows = np.full(weight, -1, dtype=np.int32)
            self._rows[places] = np.arange(len(places), dtype=np.int32)
        else:
            keys = [
                sum((digit + 1) * weight for digit, weight in zip(row, self._weights, strict=True))
                for row in self.choices.tolist()
            ]
            self._sparse = {key: row for row, key in enumerate(keys)}
            if len(self._sparse) < len(keys):
                _refuse_twice(np.unique(keys, return_inverse=True)[1])

    def __len__(self) -> int:
        return len(self.choices)

    def __call__(self, architecture: Mapping[str, Answer]) -> bool:
        return self.find(architecture) >= 0

    def find(self, architecture: Mapping[str, Answer]) -> int:
        """The row of an architecture; −1 where it has none."""
        place = asked = 0
        for name, digits in self._digits:
            if name in architecture:
                answer = architecture[name]
                digit = digits.get(answer if type(answer) is str else _typed(answer))
                if digit is None:
                    return -1
                place += digit
                asked += 1
        if asked != len(architecture):
            return -1
        return int(self._rows[place]) if self._rows is not None else self._sparse.get(place, -1)

    def positions(self, architectures: Iterable[Mapping[str, Answer]]) -> NDArray[np.int16]:
        """(n, D): the position of each answer, −1 where it is not asked; KeyError for what is no option."""
        table = [
            (name, {answer: digit // weight - 1 for answer, digit in digits.items()})
            for (name, digits), weight in zip(self._digits, self._weights, strict=True)
        ]
        found = [
            [
                -1
                if name not in architecture
                else places[answer if type(answer := architecture[name]) is str else _typed(answer)]
                for name, places in table
            ]
            for architecture in architectures
        ]
        return np.array(found, dtype=np.int16).reshape(len(found), len(self.names))

    def architecture(self, row: int) -> Architecture:
        """The architecture of a row."""
        return Architecture(
            {
                name: values[place]
                for name, values, place in zip(self.names, self.options, self.choices[row].tolist(), strict=True)
                if place >= 0
            }
        )

    @property
    def complete(self) -> bool:
        """Whether every combination of options has a row."""
        size = 1
        for values in self.options:
            size *= len(values)
        return self._asked_always and size == len(self)


def options_of(decisions: Iterable[Decision]) -> dict[str, Sequence[Answer]]:
    """The options of each decision by name; InputError for a decision whose values cannot be counted."""
    found: dict[str, Sequence[Answer]] = {}
    for decision in decisions:
        if decision.options is None:
            raise InputError(f"a table's decisions have options, '{decision.name}' is a range")
        found[decision.name] = decision.options
    return found


def _checked(names: Sequence[str], options: Sequence[Sequence[Answer]], choices: Any) -> NDArray[np.int16]:
    given = np.asarray(choices)
    if given.ndim != 2 or given.dtype.kind not in "iu":
        raise InputError(
            f"the choices of a table are rows of whole numbers, one for each decision; found {given.dtype} of shape "
            f"{given.shape}"
        )
    if given.shape[1] != len(names):
        raise InputError(f"the choices have {given.shape[1]} columns, but there are {len(names)} decisions")
    if not len(given):
        raise InputError("the table has no row")
    for column, (name, values) in enumerate(zip(names, options, strict=True)):
        low, high = int(given[:, column].min()), int(given[:, column].max())
        if low < -1 or high >= len(values):
            raise InputError(
                f"decision '{name}' has {len(values)} {'option' if len(values) == 1 else 'options'}, so its choices "
                f"are 0 to {len(values) - 1}; found {low if low < -1 else high}"
            )
    kept = given.astype(np.int16)
    kept.flags.writeable = False
    return kept


def _refuse_twice(places: NDArray[Any]) -> None:
    values, counts = np.unique(places, return_counts=True)
    if len(values) == len(places):
        return
    which = int(np.argmax(counts > 1))
    rows = np.flatnonzero(places == values[which])[:2].tolist()
    raise InputError(f"rows {rows[0]} and {rows[1]} of the table are the same architecture")


def _digits(values: Sequence[Answer], weight: int) -> dict[Any, int]:
    return {
        value if type(value) is str else _typed(value): (position + 1) * weight
        for position, value in enumerate(values)
    }


def _typed(value: Answer) -> Any:
    # 1, 1.0 and True are three values, but one key of a dictionary.
    return (type(value), value)
