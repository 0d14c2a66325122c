"""The tables of a new study are those that the migrations make, and opening one needs no Alembic."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

from store_events import study

from netwright.stores import connection as connections
from netwright.stores import schema
from netwright.stores.migrations import upgrade

Columns = dict[str, list[tuple[object, ...]]]


def tables(path: Path) -> dict[str, object]:
    """Every table with its columns, its STRICT and WITHOUT ROWID, its checks and its references."""
    database = sqlite3.connect(path)
    try:
        found: dict[str, object] = {}
        for name, _, _, rowid, strict in database.execute(
            "SELECT name, schema, type, wr, strict FROM pragma_table_list WHERE schema = 'main'"
        ).fetchall():
            columns = database.execute(f"SELECT * FROM pragma_table_info('{name}')").fetchall()
            references = database.execute(f"SELECT * FROM pragma_foreign_key_list('{name}')").fetchall()
            (text,) = database.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone() or ("",)
            checks = sorted(line.strip(" ,\t") for line in text.splitlines() if "CHECK" in line)
            found[name] = (columns, references, rowid, strict, checks)
        return found
    finally:
        database.close()


def test_migrations_make_the_tables_of_a_new_study(tmp_path: Path) -> None:
    """From nothing to the newest revision: column for column, check for check."""
    folder = study(tmp_path / "study", 0)
    path = tmp_path / "migrated.db"
    path.touch()
    connection = connections.writer(path)
    upgrade(connection)
    connections.close(connection)
    new, migrated = tables(folder / "study.db"), tables(path)
    assert {"meta", "events", "trials", "metrics"} < new.keys()
    for name in ("meta", "events", "trials", "metrics"):
        assert new[name] == migrated[name]
    database = sqlite3.connect(path)
    assert [(str(schema.VERSION),)] == database.execute("SELECT version_num FROM alembic_version").fetchall()
    database.close()


def test_opening_a_study_does_not_import_alembic(tmp_path: Path) -> None:
    """Neither making one nor opening one pays for it."""
    script = (
        "import sys; from pathlib import Path; from netwright.stores import SQLiteStore\n"
        "SQLiteStore(Path(sys.argv[1]), create=True).close(); SQLiteStore(Path(sys.argv[1]), create=False).close()\n"
        "assert 'alembic' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)


def test_importing_the_room_does_not_import_the_database() -> None:
    """``import netwright.stores`` is cheap: SQLAlchemy comes with the first store on disk."""
    script = (
        "import sys, netwright.stores; netwright.stores.MemoryStore\n"
        "assert 'sqlalchemy' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
