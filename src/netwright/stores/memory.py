"""A store that lasts as long as its process."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType

from netwright.stores.base import Event
from netwright.stores.records import Claim, Ending, Row, record
from netwright.stores.refusals import late, out_of_turn, taken


class MemoryStore:
    """The journal in a list. It refuses what :class:`SQLiteStore` refuses, so that a study behaves the same on both."""

    epoch = 1

    def __init__(self) -> None:
        self._events: list[tuple[str, str]] = []
        # Where in the journal the last claim of each number stands, and its end; what they say is read there again.
        self._claims: dict[int, int] = {}
        self._endings: dict[int, int] = {}
        self._attempts: dict[int, int] = {}

    def append(self, events: Sequence[Event]) -> None:
        records = [record(event) for event in events]
        claims: dict[int, Claim] = {}
        claimed: dict[int, int] = {}
        ended: dict[int, int] = {}
        for place, item in enumerate(records, len(self._events)):
            if item.claim is not None:
                self._check_claim(item.claim, claims, ended)
                claims[item.claim.number] = item.claim
                claimed[item.claim.number] = place
            if item.ending is not None:
                self._check_end(item.ending, claims, ended)
                ended[item.ending.number] = place
        self._attempts.update({number: claim.attempt for number, claim in claims.items()})
        self._claims.update(claimed)
        self._endings.update(ended)
        self._events.extend((item.kind, item.text) for item in records)

    def read(self, after: int = 0) -> Iterator[Event]:
        for index in range(after, len(self._events)):
            yield self._event(index)

    def trials(self) -> list[Row]:
        """The trials' table, in the order of the numbers."""
        return [_row(*self._known(number)) for number in sorted(self._claims)]

    def close(self) -> None:
        """Nothing to release; what was appended stays readable."""

    def __enter__(self) -> MemoryStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_claim(self, claim: Claim, claims: Mapping[int, Claim], endings: Mapping[int, int]) -> None:
        if claim.attempt == 1:
            if claim.number in claims or claim.number in self._claims:
                raise taken(claim.number)
            return
        known = claims.get(claim.number) or self._known(claim.number)[0]
        if (
            known is None
            or claim.number in endings
            or claim.number in self._endings
            or (known.attempt, known.architecture, known.budget, known.inherits, known.seed)
            != (claim.attempt - 1, claim.architecture, claim.budget, claim.inherits, claim.seed)
        ):
            raise out_of_turn(claim.number, claim.attempt)

    def _check_end(self, ending: Ending, claims: Mapping[int, Claim], endings: Mapping[int, int]) -> None:
        claim = claims.get(ending.number)
        attempt = self._attempts.get(ending.number) if claim is None else claim.attempt
        if attempt != ending.attempt or ending.number in endings or ending.number in self._endings:
            raise late(ending.number, ending.attempt)

    def _known(self, number: int) -> tuple[Claim | None, Ending | None]:
        claimed, ended = self._claims.get(number), self._endings.get(number)
        return (
            None if claimed is None else record(self._event(claimed)).claim,
            None if ended is None else record(self._event(ended)).ending,
        )

    def _event(self, place: int) -> Event:
        kind, text = self._events[place]
        return Event(kind, json.loads(text), place + 1)


def _row(claim: Claim | None, ending: Ending | None) -> Row:
    assert claim is not None
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
