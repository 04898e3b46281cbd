"""What an alarm's sentence is made of, so that a page can write it in its visitor's language."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

COMMENT = "series, nights, means and cause that the sentence is made of; null where an earlier version wrote it"


def upgrade() -> None:
    op.execute("ALTER TABLE drift.alarm ADD COLUMN facts jsonb")
    op.execute(f"COMMENT ON COLUMN drift.alarm.facts IS '{COMMENT}'")


def downgrade() -> None:
    op.execute("DROP VIEW drift.v_alarm")
    op.execute("ALTER TABLE drift.alarm DROP COLUMN facts")
