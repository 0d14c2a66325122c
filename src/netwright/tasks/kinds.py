"""The kinds of data that a search takes, each with what the rest has to know of it: one entry a kind.

A kind is a module of this folder: functions over one container of raw rows. To add one, write the module and its entry
here; readers, preprocessing, estimators and the search go by the entry.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Constants = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of data. Its module has the first four of these functions, and of the others those that it needs.

    =================================== ================================================================================
    ``learn(X, places) -> constants``   what preprocessing has to know, JSON, learned at these places alone (None: all)
    ``apply(constants, X, name)``       rows in any form that users have them as inputs of a network, float32 (N, …)
    ``describe(constants) -> str``      how raw rows become inputs, for a card
    ``take(X, name) -> container``      rows that a user gives in memory, checked
    ``facts(constants) -> dict``        arguments of a network beside the shape of its input, by their names
    ``read(path, target) -> Source``    a data set in a file or a folder, see :class:`Source`
    ``read_new(path, preprocessing)``   rows to predict, in a file or a folder
    ``targets(constants, X) -> y``      what is to be predicted, where it follows from the rows themselves
    ``split(X, seed, own) -> Split``    where rows must not be drawn at random; ``own``: a test part lies apart
    ``answers(preprocessing, outputs)`` what outputs mean, where that is neither classes, labels nor a number
    ``remarks(X, y, classes)``          notes on rows or columns that somebody may want to know of
    ``space_for(strategy) -> name``     the space of a search that names none, where that depends on the strategy
    =================================== ================================================================================

    A container that has ``first(count)`` may be cut to its beginning, where a time limit allows no more.

    ``space`` is the space of a search that names none; ``baseline`` the hand-made network, None where it depends on
    the shape of the input; ``goal`` what is predicted, where that lies in the kind.
    """

    name: str
    module: str
    space: str
    baseline: str | None = None
    goal: str | None = None

    def learn(self, X: Any, places: np.ndarray | None = None) -> Constants:
        made: Constants = self._module.learn(X, places)
        return made

    def apply(self, constants: Mapping[str, Any], X: Any, name: str = "X") -> np.ndarray:
        inputs: np.ndarray = self._module.apply(constants, X, name)
        return inputs

    def describe(self, constants: Mapping[str, Any]) -> str:
        text: str = self._module.describe(constants)
        return text

    def take(self, X: Any, name: str = "X") -> Any:
        return self._module.take(X, name)

    def facts(self, constants: Mapping[str, Any]) -> dict[str, Any]:
        """Empty where the module knows none."""
        made = self.maybe("facts")
        return {} if made is None else dict(made(constants))

    def maybe(self, function: str) -> Callable[..., Any] | None:
        """A function of the module that not every kind has."""
        found: Callable[..., Any] | None = getattr(self._module, function, None)
        return found

    @property
    def _module(self) -> Any:
        return importlib.import_module(self.module)


@dataclass(frozen=True)
class Source:
    """A data set as it stands in a file or a folder: rows and their targets, and perhaps a test part of its own.

    ``y`` is None where the targets follow from the rows.
    """

    X: Any
    y: Any = None
    X_test: Any = None
    y_test: Any = None


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("images", "netwright.tasks.images", "compact-images"),
        Kind("tables", "netwright.tasks.tables", "tables", "tables"),
        Kind("text", "netwright.tasks.text", "compact-text", "text"),
        Kind("series", "netwright.tasks.series", "series", "series"),
        Kind("audio", "netwright.tasks.audio", "compact-audio", "audio"),
        Kind("forecast", "netwright.tasks.forecast", "compact-forecast", "forecast", "forecast"),
        Kind("several", "netwright.tasks.several", "several-inputs", "several"),
        Kind("language", "netwright.tasks.language", "compact-language", "lstm", "tokens"),
    )
}


def kind_of(X: Any) -> str:
    """The kind of a container of raw rows; a plain array holds images."""
    # Of the class: a frame has an attribute for each column, and one may be called kind.
    name: str = getattr(type(X), "kind", "images")
    return name
