"""Comments that name every format and compression of a dump's files."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("COMMENT ON COLUMN sentiment.dump_file.format IS 'jsonl, json, csv or parquet'")
    op.execute("COMMENT ON COLUMN sentiment.dump_file.compression IS 'none, gzip, bzip2 or zstd'")


def downgrade() -> None:
    op.execute("COMMENT ON COLUMN sentiment.dump_file.format IS 'jsonl or csv'")
    op.execute("COMMENT ON COLUMN sentiment.dump_file.compression IS 'none or gzip'")
