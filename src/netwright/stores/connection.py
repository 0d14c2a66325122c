"""Opening the database file, as its one writer or as a reader."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import StaticPool

from netwright.errors import ResourceError
from netwright.stores.refusals import DATABASE

PATIENCE = 10.0
"""Seconds to wait for another connection's transaction."""


def writer(path: Path) -> Connection:
    """A connection that may write. Transactions are begun and committed by hand."""
    return _connect(f"file:{quote(os.path.abspath(path))}?mode=rw")


def reader(folder: Path) -> Connection:
    """A connection that cannot write, and leaves no file behind; fine beside a writer."""
    path = folder / DATABASE
    address = f"file:{quote(os.path.abspath(path))}?mode=ro"
    if not os.access(folder, os.W_OK) and not path.with_name(f"{DATABASE}-wal").exists():
        address += "&immutable=1"
    connection = _connect(address)
    connection.exec_driver_sql("PRAGMA query_only = ON")
    return connection


def close(connection: Connection) -> None:
    """Closes the connection and the file behind it."""
    engine = connection.engine
    connection.close()
    engine.dispose()


def _connect(address: str) -> Connection:
    if sqlite3.sqlite_version_info < (3, 37):
        raise ResourceError(f"the store needs SQLite 3.37 or newer, found {sqlite3.sqlite_version}")

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(address, uri=True, timeout=PATIENCE, check_same_thread=False)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        return connection

    return _engine(connect).connect()


def _engine(connect: object) -> Engine:
    return create_engine("sqlite://", creator=connect, poolclass=StaticPool, isolation_level="AUTOCOMMIT")
