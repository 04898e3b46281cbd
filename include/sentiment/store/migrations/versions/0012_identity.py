"""Identity rules of sources, duplicates, and values that can't be read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

WRITER = "GRANT SELECT, INSERT, UPDATE, DELETE ON sentiment.{} TO sentiment_writer"
READER = "GRANT SELECT ON sentiment.{} TO sentiment_reader"


def upgrade() -> None:
    op.execute("ALTER TABLE sentiment.run ADD COLUMN reading_version smallint NOT NULL DEFAULT 1")
    op.execute(
        "COMMENT ON COLUMN sentiment.run.reading_version IS 'version of the rules by which the dump''s values were read'"
    )
    _source_rule()
    _duplicate()
    _unread_value()


def _source_rule() -> None:
    op.create_table(
        "source_rule",
        _text("source", "where the reviews come from", primary_key=True),
        sa.Column("rule_no", sa.SmallInteger, primary_key=True, autoincrement=False, comment="from 1; the last holds"),
        sa.Column("identity", ARRAY(sa.Text), nullable=False, comment="columns that make two records the same review"),
        sa.Column(
            "version",
            sa.SmallInteger,
            nullable=False,
            comment="1: as before there were rules, by the record's own id, else by item, author, date and text, else "
            "by position; 2: by the columns of identity",
        ),
        sa.Column("mapped", JSONB, comment="column of the review -> column of the dump, when the rule was fixed"),
        _text("run_id", "the run whose publication fixed it"),
        sa.Column(
            "fixed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()"), comment="when"
        ),
        sa.ForeignKeyConstraint(["run_id"], ["sentiment.run.run_id"]),
        schema="sentiment",
        comment="Which records of a source are the same review; fixed by its first published night",
    )
    # Sources of before keep the ids that their reviews have.
    op.execute(
        "INSERT INTO sentiment.source_rule (source, rule_no, identity, version, run_id) "
        "SELECT DISTINCT ON (source) source, 1, '{own_id,item_id,author,review_date,text}', 1, run_id "
        "FROM sentiment.run WHERE published_at IS NOT NULL ORDER BY source, published_at"
    )
    op.execute(WRITER.format("source_rule"))
    op.execute(READER.format("source_rule"))


def _duplicate() -> None:
    op.create_table(
        "duplicate",
        *_record(),
        _text("review_id", "the review"),
        sa.Column("of_file_no", sa.Integer, nullable=False, comment="file of the record it equals, from 0"),
        sa.Column("of_record_no", sa.BigInteger, nullable=False, comment="that record of the file, from 1"),
        sa.ForeignKeyConstraint(["run_id"], ["sentiment.run.run_id"]),
        schema="sentiment",
        comment="Records that equal an earlier one of the same dump: the same review with the same content",
    )
    op.execute(WRITER.format("duplicate"))
    op.execute(READER.format("duplicate"))


def _unread_value() -> None:
    op.create_table(
        "unread_value",
        *_record(),
        _text("column_name", "the column of the review that is null for it", primary_key=True),
        _text("value", "the value as it came, its first 1,000 characters; empty once removed"),
        _text("rule_name", "the rule by which it can't be read"),
        sa.ForeignKeyConstraint(["run_id"], ["sentiment.run.run_id"]),
        schema="sentiment",
        comment="Values of optional columns that can't be read, at most 10,000 a run and column; may hold author "
        "names, not for readers",
    )
    op.execute(WRITER.format("unread_value"))


def downgrade() -> None:
    op.execute("DROP VIEW IF EXISTS sentiment.v_unread_values")
    for table in ("unread_value", "duplicate", "source_rule"):
        op.drop_table(table, schema="sentiment")
    op.execute("ALTER TABLE sentiment.run DROP COLUMN reading_version")


def _record() -> tuple[sa.Column[str], sa.Column[int], sa.Column[int]]:
    return (
        _text("run_id", "the run that read it", primary_key=True),
        sa.Column("file_no", sa.Integer, primary_key=True, autoincrement=False, comment="file of the dump, from 0"),
        sa.Column(
            "record_no", sa.BigInteger, primary_key=True, autoincrement=False, comment="record of the file, from 1"
        ),
    )


def _text(name: str, comment: str, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, primary_key=primary_key, comment=comment)
