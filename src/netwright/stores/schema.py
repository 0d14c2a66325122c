"""The tables of a study, as SQLAlchemy Core sees them.

They change only through a migration: a new revision in ``migrations/versions``, numbered one higher than
:data:`VERSION`, makes an older study's tables equal to those below.
"""

from __future__ import annotations

from sqlalchemy import REAL, CheckConstraint, Column, Connection, ForeignKey, Integer, MetaData, Table, Text

VERSION = 1
FORMAT = "netwright study"

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_strict=True,
)

events = Table(
    "events",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("time", REAL, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("chain", Text, nullable=False),
    sqlite_strict=True,
)

trials = Table(
    "trials",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("architecture", Text, nullable=False),
    Column("budget", Text, nullable=False),
    Column("inherits", Integer),
    Column("seed", Integer),
    Column("metrics", Text),
    Column("seconds", REAL),
    Column("error", Text),
    Column("epoch", Integer, nullable=False),
    CheckConstraint("attempt >= 1", name="attempts_count_from_one"),
    CheckConstraint(
        "state IN ('running', 'finished', 'failed', 'reused', 'infeasible', 'pruned')", name="state_is_known"
    ),
    CheckConstraint("(state = 'running') = (metrics IS NULL)", name="ended_has_metrics"),
    CheckConstraint("(state = 'running') = (seconds IS NULL)", name="ended_has_seconds"),
    sqlite_strict=True,
)

metrics = Table(
    "metrics",
    metadata,
    Column("number", Integer, ForeignKey("trials.number"), primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("value", REAL, nullable=False),
    CheckConstraint("value > -9e999 AND value < 9e999", name="value_is_finite"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

version = Table("alembic_version", MetaData(), Column("version_num", Text, primary_key=True), sqlite_strict=True)
"""Alembic's own table: it alone says which version a study has, so that no second number can contradict it."""


def create(connection: Connection) -> None:
    """Makes the tables of :data:`VERSION` in an empty database, stamped as Alembic would.

    Alembic itself is not imported: that takes longer than all the rest of making a study. A test holds that its
    migrations make the same tables.
    """
    metadata.create_all(connection)
    version.create(connection)
    connection.execute(version.insert().values(version_num=str(VERSION)))
    connection.execute(meta.insert(), [{"name": "format", "value": FORMAT}, {"name": "epoch", "value": "0"}])
