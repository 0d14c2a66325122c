"""The store on disk: a journal and the trials' table in one SQLite database.

Tables and connections are SQLAlchemy's; appending goes to the driver's own cursor, because the few statements of an
append take less time than Core's handling of them.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, cast

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from netwright.errors import InputError, ResourceError, StoreError, StudyInUseError
from netwright.failpoints import failpoint
from netwright.stores import connection as connections
from netwright.stores import head as heads
from netwright.stores import schema, soundness
from netwright.stores.base import Event
from netwright.stores.head import Head, HeadFile
from netwright.stores.lock import StudyLock, refuse_network
from netwright.stores.records import Claim, Ending, Row, record
from netwright.stores.refusals import DATABASE, damaged, late, no_room, out_of_turn, shown, taken, translate

_SYNC_EVERY = 0.1
"""Seconds between two syncs of the head file."""

_EVENT = "INSERT INTO events (sequence, kind, body, time, epoch, chain) VALUES (?, ?, ?, ?, ?, ?)"
_CLAIM = (
    "INSERT INTO trials (number, attempt, state, architecture, budget, inherits, seed, epoch) "
    "VALUES (?, 1, 'running', ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_CLAIM_AGAIN = (
    "UPDATE trials SET attempt = ?, epoch = ? WHERE number = ? AND state = 'running' AND attempt = ? "
    "AND architecture = ? AND budget = ? AND inherits IS ? AND seed IS ?"
)
_END = (
    "UPDATE trials SET state = ?, metrics = ?, seconds = ?, error = ? "
    "WHERE number = ? AND state = 'running' AND attempt = ? AND epoch = ?"
)
_EPOCH = "SELECT value FROM meta WHERE name = 'epoch'"
_METRIC = "INSERT INTO metrics (number, name, value) VALUES (?, ?, ?)"


class SQLiteStore:
    """The study in ``folder``, held for writing by this process alone.

    Each :meth:`append` is one transaction in a write-ahead log that is synced before it returns (``synchronous=FULL``),
    followed by the head file. That one is written at each commit, and synced after results, at most ten times a second:
    what is acknowledged is durable without it, and a power cut leaves it a moment behind, which is no damage.
    ``durability="normal"`` leaves all syncing to checkpoints: a process that dies still loses nothing, a power cut
    loses the last commits (and the next opening names them and asks for ``accept_loss``, if the head outlived them).

    ``create`` makes the study if there is none and opens it if there is. ``takeover`` breaks a lock that somebody
    holds; that holder's next append raises StudyInUseError, because every opening raises the epoch that each
    transaction checks. While closed, a study is one plain file beside its head.

    Raises InputError for a folder that is no study, StudyInUseError, StoreError (damage, another version, or a loss
    that was not accepted) and ResourceError (no space, no right to write, a network file system).
    """

    def __init__(
        self,
        folder: Path,
        *,
        create: bool,
        takeover: bool = False,
        durability: Literal["full", "normal"] = "full",
        accept_loss: bool = False,
    ) -> None:
        if durability not in ("full", "normal"):
            raise InputError(f"durability is 'full' or 'normal', found {durability!r}")
        self.folder = Path(folder)
        self._full = durability == "full"
        self._synced = 0.0
        self._mutex = threading.Lock()
        _prepare(self.folder, create)
        self._lock = StudyLock(self.folder, takeover=takeover)
        self._connection: Connection | None = None
        self._cursor: sqlite3.Cursor | None = None
        self._head_file: HeadFile | None = None
        try:
            _make(self.folder, create)
            newest = heads.read(self.folder)
            sound = soundness.accept(_verified(self.folder, newest), self.folder, accept_loss)
            self._head = self._enter(sound)
        except BaseException as error:
            self._release()
            if isinstance(error, DBAPIError | sqlite3.Error):
                raise translate(error, self.folder) from error
            if isinstance(error, OSError):
                raise no_room(error, self.folder) from error
            raise

    @property
    def epoch(self) -> int:
        """The number of this opening; each one is higher than all before it."""
        return self._head.epoch

    def append(self, events: Sequence[Event]) -> None:
        """Durable when it returns, all or none. Raises LateResult or ClaimRefused for what does not fit its trial."""
        records = [record(event) for event in events]
        if not records:
            return
        claims = sum(item.claim is not None for item in records)
        only_claims = claims == len(records)
        endings = sum(item.ending is not None for item in records)
        now = time.time()
        with self._mutex:
            _, cursor = self._opened()
            sequence, chain, epoch, ended = self._head.sequence, self._head.chain, self._head.epoch, self._head.ended
            lines = []
            for item in records:
                sequence += 1
                chain = soundness.link(chain, sequence, item.kind, item.text, now, epoch)
                lines.append((sequence, item.kind, item.text, now, epoch, chain))
            try:
                cursor.execute("BEGIN IMMEDIATE")
                try:
                    self._check_epoch(cursor)
                    cursor.executemany(_EVENT, lines)
                    for item in records:
                        if item.claim is not None:
                            _claim(cursor, item.claim, epoch)
                        if item.ending is not None:
                            _end(cursor, item.ending, epoch)
                    if claims:
                        failpoint("in_claim")
                    if endings:
                        failpoint("in_complete")
                    cursor.execute("COMMIT")
                except BaseException:
                    _roll_back(cursor)
                    raise
            except sqlite3.IntegrityError as error:
                raise damaged(self.folder, f"{DATABASE}: {error}") from error
            except sqlite3.Error as error:
                raise translate(error, self.folder) from error
            self._head = Head(sequence, chain, epoch, ended + endings)
            if endings:
                failpoint("after_commit")
            try:
                assert self._head_file is not None
                self._head_file.write(self._head, sync=self._full and not only_claims and self._due())
            except OSError as error:
                raise no_room(error, self.folder) from error

    def read(self, after: int = 0) -> Iterator[Event]:
        """The events after a sequence number, each checked against its hash."""
        with self._mutex:
            return iter(soundness.events(self._opened()[0], self.folder, after))

    def trials(self) -> list[Row]:
        """The trials' table, in the order of the numbers."""
        with self._mutex:
            return soundness.rows(self._opened()[0], self.folder)

    def close(self) -> None:
        """Leaves one plain file (unless a reader is at it just now), and frees the lock."""
        with self._mutex:
            if self._cursor is not None:
                try:
                    self._check_epoch(self._cursor)
                    self._cursor.execute("PRAGMA busy_timeout = 0")
                    self._cursor.execute("PRAGMA journal_mode = DELETE")
                except (sqlite3.Error, StudyInUseError):
                    pass  # a reader or a new holder is there: the log stays, which is as sound
            self._release()

    def __enter__(self) -> SQLiteStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _enter(self, sound: soundness.Sound) -> Head:
        """Raises the epoch, from which moment nobody else can append, and writes the head."""
        connection = self._connection = connections.writer(self.folder / DATABASE)
        cursor = self._cursor = cast(sqlite3.Cursor, connection.connection.cursor())
        if _single(cursor, "PRAGMA journal_mode = WAL") != "wal":
            raise ResourceError(f"folder {shown(self.folder)} cannot hold a write-ahead log", hint="Choose a local one")
        cursor.execute(f"PRAGMA synchronous = {'FULL' if self._full else 'NORMAL'}")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("BEGIN IMMEDIATE")
        try:
            last = _single(cursor, "SELECT coalesce(max(sequence), 0) FROM events")
            current = int(_single(cursor, _EPOCH))
            cursor.execute("UPDATE meta SET value = ? WHERE name = 'epoch'", (str(current + 1),))
            if sound.loss is not None:
                named = (f"loss accepted at epoch {current + 1}", sound.loss)
                cursor.execute("INSERT INTO meta (name, value) VALUES (?, ?)", named)
            cursor.execute("COMMIT")
        except BaseException:
            _roll_back(cursor)
            raise
        if last != sound.sequence:  # the holder that was fenced now went on until then
            sound = soundness.verify(connection, self.folder, None)
        head = Head(sound.sequence, sound.chain, current + 1, sound.ended)
        self._head_file = HeadFile(self.folder, head)
        return head

    def _check_epoch(self, cursor: sqlite3.Cursor) -> None:
        found = _single(cursor, _EPOCH)
        if found != str(self._head.epoch):
            raise StudyInUseError(
                f"study {shown(self.folder)} was taken over by another process (epoch {found}, ours was "
                f"{self._head.epoch})",
                hint="Nothing was written",
            )

    def _due(self) -> bool:
        now = time.monotonic()
        if now - self._synced < _SYNC_EVERY:
            return False
        self._synced = now
        return True

    def _opened(self) -> tuple[Connection, sqlite3.Cursor]:
        if self._connection is None or self._cursor is None:
            raise StoreError(f"the store of study {shown(self.folder)} is closed")
        return self._connection, self._cursor

    def _release(self) -> None:
        if self._connection is not None:
            if self._cursor is not None:
                self._cursor.close()
            connections.close(self._connection)
            self._connection = self._cursor = None
        if self._head_file is not None:
            self._head_file.close()
            self._head_file = None
        self._lock.release()


def _prepare(folder: Path, create: bool) -> None:
    """The folder itself, before there is a lock in it."""
    if not create:
        soundness.require_study(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InputError(f"{shown(folder)} is a file, a folder was expected") from None
    except OSError as error:
        raise no_room(error, folder) from error
    refuse_network(folder)


def _make(folder: Path, create: bool) -> None:
    """An empty study, complete under another name before it gets its own; so an empty ``study.db`` is always damage."""
    if not create or (folder / DATABASE).exists():
        soundness.require_study(folder)
        return
    newest = heads.read(folder)
    if newest is not None and newest.sequence > 0:
        raise damaged(folder, f"its {DATABASE} is missing")
    temporary = folder / f"{DATABASE}.new"
    for leftover in (temporary, folder / f"{DATABASE}.new-journal", folder / heads.NAME):
        leftover.unlink(missing_ok=True)
    temporary.touch()
    connection = connections.writer(temporary)
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        schema.create(connection)
        connection.exec_driver_sql("COMMIT")
    finally:
        connections.close(connection)
    os.replace(temporary, folder / DATABASE)
    heads.sync_folder(folder)


def _verified(folder: Path, newest: Head | None) -> soundness.Sound:
    """Verification by a connection that cannot write: a damaged log must not be folded into the database on the way."""
    connection = connections.reader(folder)
    try:
        return soundness.verify(connection, folder, newest)
    finally:
        connections.close(connection)


def _claim(cursor: sqlite3.Cursor, claim: Claim, epoch: int) -> None:
    fixed = (claim.architecture, claim.budget, claim.inherits, claim.seed)
    if claim.attempt == 1:
        if cursor.execute(_CLAIM, (claim.number, *fixed, epoch)).rowcount != 1:
            raise taken(claim.number)
    else:
        values = (claim.attempt, epoch, claim.number, claim.attempt - 1, *fixed)
        if cursor.execute(_CLAIM_AGAIN, values).rowcount != 1:
            raise out_of_turn(claim.number, claim.attempt)


def _end(cursor: sqlite3.Cursor, ending: Ending, epoch: int) -> None:
    values = (ending.state, ending.text, ending.seconds, ending.error, ending.number, ending.attempt, epoch)
    if cursor.execute(_END, values).rowcount != 1:
        raise late(ending.number, ending.attempt)
    cursor.executemany(_METRIC, [(ending.number, name, value) for name, value in ending.metrics.items()])


def _single(cursor: sqlite3.Cursor, statement: str) -> Any:
    """The first value of a statement, read to its end: one that is not finished would keep its lock."""
    rows = cursor.execute(statement).fetchall()
    return rows[0][0] if rows else None


def _roll_back(cursor: sqlite3.Cursor) -> None:
    try:
        cursor.execute("ROLLBACK")
    except sqlite3.Error:
        pass  # the database ended the transaction itself, as it does on a full disk
