"""A store that lasts as long as its process."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from types import TracebackType

from netwright.stores.base import Event
from netwright.stores.records import Claim, Ending, Row, record
from netwright.stores.refusals import late, out_of_turn, taken


class MemoryStore:
    """The journal in a list. It refuses what :class:`SQLiteStore` refuses, so that a study behaves the same on both."""

    epoch = 1

    def __init__(self) -> None:
        self._events: list[tuple[str, str]] = []
        self._claims: dict[int, Claim] = {}
        self._endings: dict[int, Ending] = {}

    def append(self, events: Sequence[Event]) -> None:
        records = [record(event) for event in events]
        claims: dict[int, Claim] = {}
        endings: dict[int, Ending] = {}
        for item in records:
            if item.claim is not None:
                self._claim(item.claim, claims, endings)
            if item.ending is not None:
                self._end(item.ending, claims, endings)
        self._claims.update(claims)
        self._endings.update(endings)
        self._events.extend((item.kind, item.text) for item in records)

    def read(self, after: int = 0) -> Iterator[Event]:
        for index in range(after, len(self._events)):
            kind, text = self._events[index]
            yield Event(kind, json.loads(text), index + 1)

    def trials(self) -> list[Row]:
        """The trials' table, in the order of the numbers."""
        return [_row(self._claims[number], self._endings.get(number)) for number in sorted(self._claims)]

    def close(self) -> None:
        """Nothing to release; what was appended stays readable."""

    def __enter__(self) -> MemoryStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _claim(self, claim: Claim, claims: dict[int, Claim], endings: dict[int, Ending]) -> None:
        known = claims.get(claim.number) or self._claims.get(claim.number)
        if claim.attempt == 1:
            if known is not None:
                raise taken(claim.number)
        elif (
            known is None
            or claim.number in endings
            or claim.number in self._endings
            or (known.attempt, known.architecture, known.budget, known.inherits, known.seed)
            != (claim.attempt - 1, claim.architecture, claim.budget, claim.inherits, claim.seed)
        ):
            raise out_of_turn(claim.number, claim.attempt)
        claims[claim.number] = claim

    def _end(self, ending: Ending, claims: dict[int, Claim], endings: dict[int, Ending]) -> None:
        known = claims.get(ending.number) or self._claims.get(ending.number)
        ended = ending.number in endings or ending.number in self._endings
        if known is None or ended or known.attempt != ending.attempt:
            raise late(ending.number, ending.attempt)
        endings[ending.number] = ending


def _row(claim: Claim, ending: Ending | None) -> Row:
    return Row(
        number=claim.number,
        attempt=claim.attempt,
        state="running" if ending is None else ending.state,
        architecture=json.loads(claim.architecture),
        budget=json.loads(claim.budget),
        inherits=claim.inherits,
        seed=claim.seed,
        metrics={} if ending is None else dict(ending.metrics),
        seconds=None if ending is None else ending.seconds,
        error=None if ending is None or ending.error is None else json.loads(ending.error),
        epoch=MemoryStore.epoch,
    )
