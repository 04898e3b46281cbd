"""The index that makes searching the texts of all reviews fast: made when asked for, since it costs every load."""

from __future__ import annotations

import sqlalchemy as sa

from sentiment import database
from sentiment.errors import SetupError

NAME = "sentiment.review_words"


def create() -> int:
    """Build it beside running nights, anew where an earlier build was stopped; returns its size in bytes.

    Raises SetupError where the server lacks pg_trgm.
    """
    with database.engine("owner").connect().execution_options(isolation_level="AUTOCOMMIT") as c:
        schema = c.scalar(
            sa.text("SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'pg_trgm'")
        )
        if schema is None:
            raise SetupError(
                "The server lacks the extension pg_trgm.", "sentiment.search_reviews works without, slowly"
            )
        if c.scalar(sa.text("SELECT NOT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:n)"), {"n": NAME}):
            c.exec_driver_sql(f"DROP INDEX CONCURRENTLY {NAME}")
        c.exec_driver_sql(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS review_words ON sentiment.review "
            f"USING gin (sentiment.plain(text) {schema}.gin_trgm_ops)"
        )
        return int(c.scalar(sa.text("SELECT pg_relation_size(to_regclass(:n))"), {"n": NAME}) or 0)


def drop() -> None:
    """Remove it, if it is there."""
    with database.engine("owner").connect().execution_options(isolation_level="AUTOCOMMIT") as c:
        c.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}")
