"""Labels by which a source's dumps are read, fixed at its first night; workbooks among the formats of files."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

VERSION = (
    "version of the reading whose values enter the identity; 1: as before there were rules, by the record''s own id, "
    "else by item, author, date and text, else by position"
)


def upgrade() -> None:
    op.execute("ALTER TABLE sentiment.source_rule ADD COLUMN labels jsonb NOT NULL DEFAULT '{}'")
    op.execute(
        "COMMENT ON COLUMN sentiment.source_rule.labels IS "
        "'positive, negative, neutral -> the words read so, where the first night''s labels meant other than the profile''s'"
    )
    op.execute(f"COMMENT ON COLUMN sentiment.source_rule.version IS '{VERSION}'")
    op.execute("COMMENT ON COLUMN sentiment.dump_file.format IS 'jsonl, json, csv, parquet or xlsx'")


def downgrade() -> None:
    op.execute("ALTER TABLE sentiment.source_rule DROP COLUMN labels")
