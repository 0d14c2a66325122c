"""Stores: what happened, appended and never changed. Names are imported when they are first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from netwright.stores.base import Event, Store

if TYPE_CHECKING:
    from netwright.stores.lock import is_held
    from netwright.stores.memory import MemoryStore
    from netwright.stores.reader import Reader, open_readonly
    from netwright.stores.records import Row
    from netwright.stores.refusals import ClaimRefused, LateResult
    from netwright.stores.soundness import check, salvage
    from netwright.stores.sqlite import SQLiteStore

_WHERE = {
    "ClaimRefused": "refusals",
    "LateResult": "refusals",
    "MemoryStore": "memory",
    "Reader": "reader",
    "Row": "records",
    "SQLiteStore": "sqlite",
    "open_readonly": "reader",
    "check": "soundness",
    "is_held": "lock",
    "salvage": "soundness",
}

__all__ = [
    "ClaimRefused",
    "Event",
    "LateResult",
    "MemoryStore",
    "Reader",
    "Row",
    "SQLiteStore",
    "Store",
    "check",
    "is_held",
    "open_readonly",
    "salvage",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = getattr(importlib.import_module(f"netwright.stores.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'netwright.stores' has no attribute {name!r}")
