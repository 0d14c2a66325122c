"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "meta",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "events",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("time", sa.REAL, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("chain", sa.Text, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "trials",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("architecture", sa.Text, nullable=False),
        sa.Column("budget", sa.Text, nullable=False),
        sa.Column("inherits", sa.Integer),
        sa.Column("seed", sa.Integer),
        sa.Column("metrics", sa.Text),
        sa.Column("seconds", sa.REAL),
        sa.Column("error", sa.Text),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.CheckConstraint("attempt >= 1", name="attempts_count_from_one"),
        sa.CheckConstraint(
            "state IN ('running', 'finished', 'failed', 'reused', 'infeasible', 'pruned')", name="state_is_known"
        ),
        sa.CheckConstraint("(state = 'running') = (metrics IS NULL)", name="ended_has_metrics"),
        sa.CheckConstraint("(state = 'running') = (seconds IS NULL)", name="ended_has_seconds"),
        sqlite_strict=True,
    )
    op.create_table(
        "metrics",
        sa.Column("number", sa.Integer, sa.ForeignKey("trials.number"), primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.REAL, nullable=False),
        sa.CheckConstraint("value > -9e999 AND value < 9e999", name="value_is_finite"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    for name in ("metrics", "trials", "events", "meta"):
        op.drop_table(name)
