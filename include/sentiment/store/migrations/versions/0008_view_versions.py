"""Which text of each view was applied: from here on views are files, applied after the migrations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Beside schema_revision, outside the schemas that people read.
    op.create_table(
        "view_version",
        sa.Column("view_name", sa.Text, primary_key=True, comment="the view, with its schema"),
        sa.Column("file_sha256", sa.Text, nullable=False, comment="SHA-256 of the file that was applied"),
        sa.Column(
            "state_sha256", sa.Text, nullable=False, comment="SHA-256 of definition and comments, once it was applied"
        ),
        sa.Column(
            "applied_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("clock_timestamp()"),
            comment="when",
        ),
        comment="The file of each view that was applied last",
    )
    op.execute("GRANT SELECT ON view_version TO sentiment_writer, sentiment_reader")


def downgrade() -> None:
    op.drop_table("view_version")
