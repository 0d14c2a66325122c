"""Small real events, and a filled store in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from netwright.stores import Event, SQLiteStore


def configured(seed: int = 0) -> Event:
    return Event("study", {"name": "toy", "seed": seed})


def claimed(number: int, attempt: int = 1, **others: Any) -> Event:
    body = {"architecture": {"width": 16, "op": "conv3"}, "budget": None, "inherits": None, "seed": number}
    return Event("claimed", {"number": number, "attempt": attempt, **body, **others})


def ended(number: int, attempt: int = 1, state: str = "finished", **others: Any) -> Event:
    body = {"metrics": {"val_accuracy": number / 128}, "curve": [], "error": None, "seconds": 0.5, "weights": None}
    return Event("ended", {"number": number, "attempt": attempt, "state": state, **body, **others})


def fill(store: SQLiteStore, trials: int, first: int = 0) -> None:
    """So many trials, claimed and ended by two appends each."""
    for number in range(first, first + trials):
        store.append([claimed(number)])
        store.append([ended(number)])


def study(folder: Path, trials: int = 3) -> Path:
    """A closed study with so many finished trials."""
    with SQLiteStore(folder, create=True) as store:
        store.append([configured()])
        fill(store, trials)
    return folder
