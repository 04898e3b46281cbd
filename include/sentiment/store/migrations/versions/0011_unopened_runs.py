"""Nights that failed before their run was opened."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "unopened_run",
        _text("dag_id", "the DAG whose find_dump failed", primary_key=True),
        _text("airflow_run_id", "run id in Airflow", primary_key=True),
        sa.Column("night", sa.Date, comment="the night that was to be run; null where the request names no known run"),
        _text("source", "where its reviews come from; null like the night", nullable=True),
        _text("dump_uri", "the dump as it was requested; null like the night", nullable=True),
        _text("error_kind", "class of the error"),
        _text("error", "message of the error, without what it quotes of the dump's content"),
        _text("try_next", "command to type next, if there is one", nullable=True),
        sa.Column(
            "failed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()"), comment="when"
        ),
        schema="sentiment",
        comment="One row for each run in Airflow that last failed before it opened a run, as before its dump was read",
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON sentiment.unopened_run TO sentiment_writer")
    op.execute("GRANT SELECT ON sentiment.unopened_run TO sentiment_reader")


def downgrade() -> None:
    op.execute("DROP VIEW IF EXISTS sentiment.v_unopened_runs")
    op.drop_table("unopened_run", schema="sentiment")


def _text(name: str, comment: str, nullable: bool = False, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable, primary_key=primary_key, comment=comment)
