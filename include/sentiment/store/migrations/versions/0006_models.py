"""Where a model came from: the parent of an int8 twin, and the band in which a model is unsure."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COLUMNS = {
    "parent_model_id": ("text", "the model that this one is the int8 twin of; null for others"),
    "parent_agreement": ("double precision", "share of texts that both label alike, when it was made; null for others"),
    "parent_texts": ("integer", "on how many texts that was; null for others"),
    "parent_speedup": ("double precision", "times as fast as its parent, one thread, when it was made"),
}


def upgrade() -> None:
    for name, (kind, comment) in COLUMNS.items():
        op.execute(f"ALTER TABLE sentiment.model ADD COLUMN {name} {kind}")
        op.execute(f"COMMENT ON COLUMN sentiment.model.{name} IS '{comment}'")


def downgrade() -> None:
    for name in COLUMNS:
        op.execute(f"ALTER TABLE sentiment.model DROP COLUMN {name}")
