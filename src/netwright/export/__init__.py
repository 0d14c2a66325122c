"""A finished network packaged: source, weights, architecture and a card, checked before they are written."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright.export.cards import CardFacts, Score, card
    from netwright.export.checking import difference
    from netwright.export.folder import package, read_manifest
    from netwright.export.formats import to

FORMATS = ("torch", "source")
"""What :func:`to` can write; known without importing torch."""

_WHERE = {
    "CardFacts": "cards",
    "Score": "cards",
    "card": "cards",
    "difference": "checking",
    "package": "folder",
    "read_manifest": "folder",
    "to": "formats",
}

__all__ = ["FORMATS", "CardFacts", "Score", "card", "difference", "package", "read_manifest", "to"]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = getattr(importlib.import_module(f"netwright.export.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'netwright.export' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
