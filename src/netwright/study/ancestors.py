"""Networks of another study, whose weights the trials of this one begin from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netwright.architecture import Architecture


@dataclass(frozen=True)
class Ancestor:
    """A network that ``study`` trained as its trial ``trial``, and a copy of its weights that is this study's own."""

    study: str
    trial: int
    architecture: Architecture
    weights: Path
    sha256: str

    def said(self) -> dict[str, Any]:
        """Whose weights they are, as the journal says it of a trial that begins from them."""
        return {"study": self.study, "trial": self.trial, "sha256": self.sha256}


def nearest(ancestors: Iterable[Ancestor], architecture: Architecture) -> Ancestor | None:
    """That with fewest decisions that are answered otherwise, or by one of the two alone; of equals the first."""
    return min(ancestors, key=lambda ancestor: _distance(ancestor.architecture, architecture), default=None)


def _distance(a: Architecture, b: Architecture) -> int:
    return sum(1 for name in {*a, *b} if name not in a or name not in b or a[name] != b[name])
