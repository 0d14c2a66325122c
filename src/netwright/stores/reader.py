"""Reading a study without a lock and without the power to write; fine while another process writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from netwright.stores import connection as connections
from netwright.stores import head, soundness
from netwright.stores.base import Event
from netwright.stores.records import Row
from netwright.stores.refusals import translate


class Reader:
    """What a study holds, at the moment of each call. Made by :func:`open_readonly`."""

    def __init__(self, folder: Path, connection: Connection) -> None:
        self._folder = folder
        self._connection = connection

    def read(self, after: int = 0) -> Iterator[Event]:
        """The events after a sequence number, each checked against its hash."""
        return iter(soundness.events(self._connection, self._folder, after))

    def trials(self) -> list[Row]:
        """The trials' table, in the order of the numbers."""
        return soundness.rows(self._connection, self._folder)

    def close(self) -> None:
        connections.close(self._connection)

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_readonly(folder: Path, *, accept_loss: bool = False) -> Reader:
    """A reader of the study in ``folder``, verified as a writer would.

    Raises InputError where there is no study, and StoreError where it is damaged, of another version, or (unless
    ``accept_loss``) behind what was acknowledged.
    """
    folder = Path(folder)
    soundness.require_study(folder)
    newest = head.read(folder)  # before the snapshot, so that a running writer can only be ahead of it
    try:
        connection = connections.reader(folder)
    except DBAPIError as error:
        raise translate(error, folder) from error
    try:
        soundness.accept(soundness.verify(connection, folder, newest), folder, accept_loss)
    except BaseException:
        connections.close(connection)
        raise
    return Reader(folder, connection)
