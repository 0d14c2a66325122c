"""Is a store what it was when it was acknowledged? The journal's hashes, the trials' table and the head file say.

Damage is never repaired silently. What may be lost without any damage (the last commits, when the WAL was deleted or
cut) is known from the head file and accepted only on request.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from netwright.errors import InputError, NetwrightError, StoreError
from netwright.stores import connection as connections
from netwright.stores import head as heads
from netwright.stores import records, schema
from netwright.stores.base import Event
from netwright.stores.head import Head
from netwright.stores.refusals import DATABASE, damaged, lost, shown, translate

START = "0" * 64
"""The hash before the first event."""

EVENTS = "SELECT sequence, kind, body, time, epoch, chain FROM events WHERE sequence > ? ORDER BY sequence"
TRIALS = (
    "SELECT number, attempt, state, architecture, budget, inherits, seed, metrics, seconds, error, epoch "
    "FROM trials ORDER BY number"
)

_DAMAGE = (DBAPIError, UnicodeDecodeError)


@dataclass(frozen=True, slots=True)
class Sound:
    """What verification found: where the journal ends; ``loss`` says what was acknowledged and is gone, if anything."""

    sequence: int
    chain: str
    epoch: int
    ended: int
    loss: str | None = None

    @property
    def head(self) -> Head:
        return Head(self.sequence, self.chain, self.epoch, self.ended)


def link(previous: str, sequence: int, kind: str, body: str, time: float, epoch: int) -> str:
    """The hash of an event, chained to the one before it. No field can hold a newline but as an escape in JSON."""
    return hashlib.sha256(f"{previous}\n{sequence}\n{kind}\n{body}\n{time!r}\n{epoch}".encode()).hexdigest()


def check(folder: Path) -> list[str]:
    """Everything that is wrong with the store in a folder, a line each; empty when it is sound.

    Reads only, so it may run beside a writer. Raises InputError where there is no study.
    """
    folder = Path(folder)
    found = []
    try:
        require_study(folder)
        head = heads.read(folder)
        connection = connections.reader(folder)
        try:
            for (line,) in connection.exec_driver_sql("PRAGMA integrity_check(20)"):
                if line != "ok":
                    found.append(f"integrity_check: {line}")
            found.extend(f"foreign_key_check: {row[0]} row {row[1]}" for row in _foreign_keys(connection))
            sound = verify(connection, folder, head, integrity=False)
            if sound.loss is not None:
                found.append(sound.loss)
        finally:
            connections.close(connection)
    except InputError:
        raise
    except NetwrightError as error:
        found.append(error.message)
    except _DAMAGE as error:
        found.append(translate(error, folder).message)
    return found


def salvage(folder: Path) -> list[Event]:
    """The longest sound beginning of the journal that can be read from a damaged store; empty if nothing can."""
    folder = Path(folder)
    found = []
    try:
        require_study(folder)
        connection = connections.reader(folder)
        try:
            for sequence, kind, body, _ in _chained(connection, folder, 0, START):
                found.append(Event(kind, _decoded(body, sequence, folder), sequence))
        finally:
            connections.close(connection)
    except (*_DAMAGE, StoreError):
        pass  # the end of what is sound, which is what was asked for
    return found


def require_study(folder: Path) -> None:
    """Raises InputError where there is no study, StoreError where only its database is missing."""
    if (folder / DATABASE).is_file():
        return
    if heads.read(folder) is not None:
        raise damaged(folder, f"its {DATABASE} is missing")
    raise InputError(
        f"{shown(folder)} is no study (no {DATABASE} in it)",
        hint="Give the folder that a search printed, such as runs/digits-1",
    )


def verify(connection: Connection, folder: Path, head: Head | None, *, integrity: bool = True) -> Sound:
    """Checks all that the store holds against its hashes, and its end against ``head``, which was read before.

    Raises StoreError for damage and for another version. A missing head file counts as a loss once there are events:
    without it nobody can tell whether the last of them are gone (a ``study.db`` copied without its WAL looks whole).
    """
    try:
        connection.exec_driver_sql("BEGIN")
        try:
            _check_version(connection, folder)
            if integrity:
                (line,) = connection.exec_driver_sql("PRAGMA integrity_check(1)").one()
                if line != "ok":
                    raise damaged(folder, f"integrity_check: {' '.join(line.split())}")
            return _verify_content(connection, folder, head)
        finally:
            connection.exec_driver_sql("ROLLBACK")
    except _DAMAGE as error:
        raise translate(error, folder) from error


def events(connection: Connection, folder: Path, after: int) -> list[Event]:
    """The events after a sequence number, each checked against its hash."""
    try:
        previous = START
        if after > 0:
            row = connection.exec_driver_sql("SELECT chain FROM events WHERE sequence = ?", (after,)).one_or_none()
            if row is None:
                return []
            previous = row[0]
        return [
            Event(kind, _decoded(body, sequence, folder), sequence)
            for sequence, kind, body, _ in _chained(connection, folder, max(after, 0), previous)
        ]
    except _DAMAGE as error:
        raise translate(error, folder) from error


def rows(connection: Connection, folder: Path) -> list[records.Row]:
    """The trials' table."""
    try:
        return [records.row(tuple(values)) for values in connection.exec_driver_sql(TRIALS)]
    except (*_DAMAGE, ValueError) as error:
        raise translate(error, folder) from error


def _check_version(connection: Connection, folder: Path) -> None:
    found = [str(row[0]) for row in connection.exec_driver_sql("SELECT version_num FROM alembic_version")]
    if found != [str(schema.VERSION)]:
        raise StoreError(
            f"study {shown(folder)} has a store of version {' and '.join(found)[:20] or 'none'}, "
            f"this Netwright reads version {schema.VERSION}",
            hint="Open it with the Netwright that wrote it",
        )
    name = connection.exec_driver_sql("SELECT value FROM meta WHERE name = 'format'").scalar_one_or_none()
    if name != schema.FORMAT:
        raise damaged(folder, f"{DATABASE} is not marked as a {schema.FORMAT}")


def _verify_content(connection: Connection, folder: Path, head: Head | None) -> Sound:
    sequence, chain, ended = 0, START, 0
    table: dict[int, list[Any]] = {}
    values: dict[int, dict[str, float]] = {}
    for sequence, kind, body, epoch in _chained(connection, folder, 0, START):
        if kind in ("claimed", "ended"):
            ended += kind == "ended"
            _replay(table, values, kind, _decoded(body, sequence, folder), epoch, folder)
    if sequence:
        chain = _chain_at(connection, sequence)
    found = {row[0]: list(row) for row in connection.exec_driver_sql(TRIALS)}
    if found != table:
        number = min(n for n in found.keys() | table.keys() if found.get(n) != table.get(n))
        raise damaged(folder, f"the table's trial {number} is not the journal's")
    measured: dict[int, dict[str, float]] = {}
    for number, name, value in connection.exec_driver_sql("SELECT number, name, value FROM metrics"):
        measured.setdefault(number, {})[name] = value
    if measured != values:
        number = min(n for n in measured.keys() | values.keys() if measured.get(n) != values.get(n))
        raise damaged(folder, f"the table's metrics of trial {number} are not the journal's")
    epoch = _epoch(connection, folder)
    loss = None
    if head is None:
        if sequence:
            loss = f"{heads.NAME} is missing, so nobody knows whether events after {sequence} are lost"
    elif head.sequence > sequence:
        loss = f"events {sequence + 1} to {head.sequence} are lost, and with them {_results(head.ended - ended)}"
    else:
        if head.chain != (_chain_at(connection, head.sequence) if head.sequence else START):
            raise damaged(folder, f"event {head.sequence} is not the one that {heads.NAME} knows")
        if head.epoch > epoch:
            raise damaged(folder, f"its epoch is {epoch}, {heads.NAME} knows {head.epoch}")
    return Sound(sequence, chain, epoch, ended, loss)


def _chained(connection: Connection, folder: Path, after: int, previous: str) -> Iterator[tuple[int, str, str, int]]:
    expected = after
    for sequence, kind, body, time, epoch, chain in connection.exec_driver_sql(EVENTS, (after,)):
        expected += 1
        if sequence != expected:
            raise damaged(folder, f"event {expected} is missing")
        previous = link(previous, sequence, kind, body, time, epoch)
        if chain != previous:
            raise damaged(folder, f"event {sequence} does not fit its hash")
        yield sequence, kind, body, epoch


def _chain_at(connection: Connection, sequence: int) -> str:
    return str(connection.exec_driver_sql("SELECT chain FROM events WHERE sequence = ?", (sequence,)).scalar_one())


def _decoded(body: str, sequence: int, folder: Path) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise damaged(folder, f"event {sequence} is not JSON") from None
    if not isinstance(value, dict):
        raise damaged(folder, f"event {sequence} is not an object")
    return value


def _replay(
    table: dict[int, list[Any]],
    values: dict[int, dict[str, float]],
    kind: str,
    body: dict[str, Any],
    epoch: int,
    folder: Path,
) -> None:
    """What an event does to the trials' table, as the table's own rows; its columns in their order."""
    try:
        if kind == "claimed":
            claim = records.claim(body)
            table[claim.number] = [
                claim.number, claim.attempt, "running", claim.architecture, claim.budget, claim.inherits, claim.seed,
                None, None, None, epoch,
            ]  # fmt: skip
            return
        ending = records.ending(body)
        row = table[ending.number]
    except (InputError, KeyError):
        raise damaged(folder, f"an event '{kind}' does not fit its trial") from None
    row[2], row[7], row[8], row[9] = ending.state, ending.text, ending.seconds, ending.error
    if ending.metrics:
        values[ending.number] = ending.metrics


def _results(count: int) -> str:
    return f"{count} result{'' if count == 1 else 's'}"


def _epoch(connection: Connection, folder: Path) -> int:
    text = connection.exec_driver_sql("SELECT value FROM meta WHERE name = 'epoch'").scalar_one_or_none()
    if text is None or not (text.isascii() and text.isdigit()):
        raise damaged(folder, f"its epoch is {text!r}")
    return int(text)


def _foreign_keys(connection: Connection) -> list[Any]:
    return list(connection.exec_driver_sql("PRAGMA foreign_key_check"))


def accept(sound: Sound, folder: Path, accept_loss: bool) -> Sound:
    """``sound`` itself; raises StoreError when something is lost and that was not accepted."""
    if sound.loss is not None and not accept_loss:
        raise lost(folder, sound.loss)
    return sound
