"""The index that makes searching the texts of all reviews fast: built on request, since it costs every load."""

from __future__ import annotations

import sqlalchemy as sa
from psycopg2.sql import SQL, Identifier

from sentiment import database
from sentiment.errors import SetupError
from sentiment.sql import execute

NAME = "sentiment.review_words"


def create() -> int:
    """Build the index beside running nights, anew where an earlier build was stopped; return its size in bytes.

    Raises SetupError where the server lacks pg_trgm.
    """
    with database.transaction("owner") as c:
        schema = c.scalar(
            sa.text(
                "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace "
                "WHERE e.extname = 'pg_trgm'"
            )
        )
    if schema is None:
        raise SetupError("The server lacks the extension pg_trgm.", "sentiment.search_reviews works without, slowly")
    # CREATE INDEX CONCURRENTLY refuses to run in a transaction.
    with database.engine("owner").connect().execution_options(isolation_level="AUTOCOMMIT") as c:
        # A build that was stopped leaves an invalid index, which IF NOT EXISTS would take for the finished one.
        if c.scalar(sa.text("SELECT NOT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:n)"), {"n": NAME}):
            c.execute(sa.text("DROP INDEX CONCURRENTLY sentiment.review_words"))
        template = SQL(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS review_words ON sentiment.review "
            "USING gin (sentiment.plain(text) {})"
        )
        # The extension may be in any schema, which need not be on the search path.
        execute(c, template.format(Identifier(schema, "gin_trgm_ops")))
        return int(c.scalar(sa.text("SELECT pg_relation_size(to_regclass(:n))"), {"n": NAME}) or 0)


def drop() -> None:
    """Drop the index, if there is one."""
    with database.transaction("owner") as c:
        if c.scalar(sa.text("SELECT to_regclass(:n)"), {"n": NAME}) is None:
            return
    with database.engine("owner").connect().execution_options(isolation_level="AUTOCOMMIT") as c:
        c.execute(sa.text("DROP INDEX CONCURRENTLY IF EXISTS sentiment.review_words"))
