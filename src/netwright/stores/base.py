"""The contract of a store: an append-only journal of events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: ``body`` is a JSON object. The store numbers events from 1 on.

    ======== ====================================================================================================
    kind     body
    ======== ====================================================================================================
    study    the configuration, once, as the first event
    claimed  ``number, attempt, architecture, budget, inherits, seed``: a trial is about to run; ``begins`` where it
             takes weights of another study (its ``study``, ``trial`` and their ``sha256``)
    ended    ``number, attempt, state, metrics, curve, error, seconds, weights``: the final state of a trial
    noted    ``topic`` and whatever else: a decision by the clock, a finalist, the verdict, the end of a run
    ======== ====================================================================================================
    """

    kind: str
    body: Mapping[str, Any]
    sequence: int = 0


class Store(Protocol):
    """Two verbs. ``append`` returns when the events are durable, all of them or none (one transaction)."""

    def append(self, events: Sequence[Event]) -> None: ...

    def read(self, after: int = 0) -> Iterable[Event]: ...

    def close(self) -> None: ...
