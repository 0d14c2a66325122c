"""Spaces that come with the package, by name, and the baselines made by hand."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Entry:
    """A space of the zoo: where its network stands, for which kind of data, and a line about it."""

    name: str
    kind: str
    summary: str
    module: str
    network_name: str
    starts_name: str

    @property
    def network(self) -> Callable[..., Any]:
        """The network class, written in the words."""
        found: Callable[..., Any] = getattr(importlib.import_module(self.module), self.network_name)
        return found

    @property
    def starts(self) -> tuple[Mapping[str, Any], ...]:
        """Known-good answers, each to some or all of the decisions."""
        found: tuple[Mapping[str, Any], ...] = getattr(importlib.import_module(self.module), self.starts_name)
        return found


SPACES: Mapping[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry(
            "compact-images",
            "images",
            "stages of convolutions for small devices: widths, depths, kinds of block, resolution",
            "netwright.zoo.compact",
            "CompactImages",
            "IMAGE_STARTS",
        ),
        Entry(
            "compact-tables",
            "tables",
            "perceptrons for tables: width, depth, residual or plain, norm, dropout, learning rate",
            "netwright.zoo.compact",
            "CompactTables",
            "TABLE_STARTS",
        ),
    )
}

__all__ = ["SPACES", "Entry"]
