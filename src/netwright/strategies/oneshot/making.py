"""One-shot methods by the names of the command line: ``darts``, ``spos(lr=0.2)``."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any, final

from netwright import strict_json
from netwright.strategies import oneshot
from netwright.strategies.making import make_of

if TYPE_CHECKING:
    from netwright.strategies.oneshot.method import Method

_NAMED: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "darts": ("DARTS", {}),
    "darts2": ("DARTS", {"order": 2}),
    "drnas": ("DrNAS", {}),
    "enas": ("ENAS", {}),
    "fairnas": ("FairNAS", {}),
    "gdas": ("GDAS", {}),
    "ofa": ("OFA", {}),
    "pcdarts": ("PCDARTS", {}),
    "proxyless": ("Proxyless", {}),
    "random-weights": ("RandomWeights", {}),
    "sandwich": ("OFA", {"rule": "sandwich"}),
    "snas": ("SNAS", {}),
    "spos": ("SPOS", {}),
}
"""The name of each, its class, and what of its arguments the name stands for."""

_SUMMARIES = {
    "darts2": "DARTS of second order: the weights one step of SGD ahead, by finite differences.",
    "sandwich": "The sandwich rule: every step trains the largest network, the smallest and two random ones.",
}
"""What those are whose names stand for arguments, in a line each."""


@final
class _Methods(Mapping[str, "Callable[..., Method]"]):
    """The methods by their names."""

    def __getitem__(self, name: str) -> Callable[..., Method]:
        return _kind(name)

    def __iter__(self) -> Iterator[str]:
        return iter(_NAMED)

    def __len__(self) -> int:
        return len(_NAMED)


@cache
def _kind(name: str) -> Callable[..., Method]:
    kind, arguments = _NAMED[name]
    found: type[Method] = getattr(oneshot, kind)
    if not arguments:
        return found
    made: Any = partial(found, **arguments)
    made.__doc__ = _SUMMARIES[name]
    made.__name__ = found.__name__
    found_again: Callable[..., Method] = made
    return found_again


METHODS: Mapping[str, Callable[..., Method]] = _Methods()


def make(text: str) -> Method:
    """The method that ``text`` names, made with the arguments in its brackets; InputError as for strategies.

    >>> make("darts2").order
    2
    """
    made: Method = make_of(text, METHODS, "one-shot method")
    return made


def described(method: Method) -> dict[str, Any]:
    """Its class and what it was made with, as far as JSON can hold it: two of these that differ train differently.

    To be asked of a method before it starts, or of :func:`fresh`.
    """
    kept: dict[str, Any] = {}
    for name, value in sorted(vars(method).items()):
        if name.startswith("_") or name in ("relaxation", "stateful"):
            continue
        try:
            kept[name] = strict_json.loads(strict_json.dumps(value))
        except (TypeError, ValueError):
            continue
    return {"name": type(method).__name__, "parameters": kept}


def fresh(method: Method) -> Method:
    """A method with the same arguments that has not started."""
    twin = copy.copy(method)
    for name in [name for name in vars(twin) if name.startswith("_") or name in ("relaxation", "stateful")]:
        delattr(twin, name)
    return twin
