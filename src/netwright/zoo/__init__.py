"""Spaces that come with the package, by name, and the baselines made by hand."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright.space import SearchSpace


@dataclass(frozen=True)
class Entry:
    """A space of the zoo: where its network stands, for which kind of data, and a line about it."""

    name: str
    kind: str
    summary: str
    module: str
    network_name: str
    starts_name: str = ""
    space_name: str = ""

    @property
    def network(self) -> Callable[..., Any]:
        """The network class, written in the words."""
        found: Callable[..., Any] = getattr(importlib.import_module(self.module), self.network_name)
        return found

    @property
    def starts(self) -> tuple[Mapping[str, Any], ...]:
        """Known-good answers, each to some or all of the decisions."""
        if not self.starts_name:
            return ()
        found: tuple[Mapping[str, Any], ...] = getattr(importlib.import_module(self.module), self.starts_name)
        return found

    def space(self, **arguments: Any) -> SearchSpace:
        """The search space, with the rules that belong to it; the arguments are the network's."""
        from netwright.space import SearchSpace

        if not self.space_name:
            return SearchSpace(self.network, **arguments)
        made: SearchSpace = getattr(importlib.import_module(self.module), self.space_name)(**arguments)
        return made


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
        Entry(
            "nasbench201",
            "images",
            "the cells of NAS-Bench-201 and NATS-Bench's topology space: six edges of five operations",
            "netwright.zoo.nasbench201",
            "NASBench201",
            "NASBENCH201_STARTS",
            "space",
        ),
    )
}

__all__ = ["SPACES", "Entry"]
