"""Search strategies: one algorithm a file. Each is imported when it is first used."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright.strategies.auto import Auto
    from netwright.strategies.base import Strategy
    from netwright.strategies.evolution import Evolution
    from netwright.strategies.random import Random

__all__ = ["STRATEGIES", "Auto", "Evolution", "Random", "Strategy"]

_WHERE = {"Auto": "auto", "Evolution": "evolution", "Random": "random", "Strategy": "base"}


class _Strategies(Mapping[str, "type[Strategy]"]):
    """The strategies by the names of the command line; a package adds its own by the entry point
    ``netwright.strategies``."""

    _ours = ("auto", "evolution", "random")

    def __getitem__(self, name: str) -> type[Strategy]:
        if name in self._ours:
            found: type[Strategy] = getattr(importlib.import_module(f"{__name__}.{name}"), name.capitalize())
            return found
        for point in entry_points(group=__name__, name=name):
            added: type[Strategy] = point.load()
            return added
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        yield from self._ours
        yield from sorted({point.name for point in entry_points(group=__name__)} - set(self._ours))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in tuple(self)


STRATEGIES: Mapping[str, type[Strategy]] = _Strategies()


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
