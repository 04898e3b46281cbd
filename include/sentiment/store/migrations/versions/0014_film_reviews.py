"""Reviews of a film by their first night, so that a film's page reads the newest alone, however many there are."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Beside running nights; what a killed migration has left is no use.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS sentiment.review_item_night")
        op.execute("CREATE INDEX CONCURRENTLY review_item_night ON sentiment.review (item_id, first_night)")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS sentiment.review_item")


def downgrade() -> None:
    op.execute("CREATE INDEX review_item ON sentiment.review (item_id)")
    op.execute("DROP INDEX sentiment.review_item_night")
