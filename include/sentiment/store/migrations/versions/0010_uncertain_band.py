"""The band by which each night's profile counts uncertain reviews."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

COMMENTS = {
    "band_low": "of uncertain: p_positive from which a review is counted; null: 0.35",
    "band_high": "of uncertain: p_positive up to which a review is counted; null: 0.65",
}


def upgrade() -> None:
    for name, comment in COMMENTS.items():
        op.add_column("profile_metrics", sa.Column(name, sa.Double, comment=comment), schema="drift")


def downgrade() -> None:
    for name in COMMENTS:
        op.drop_column("profile_metrics", name, schema="drift")
