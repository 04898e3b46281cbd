"""SQL for Postgres, one statement in a file beside its package: `store/sql/publish/insert_review.sql`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import sqlalchemy as sa

PACKAGE = Path(__file__).parent


def path(name: str) -> Path:
    """Return the file of a statement; "store/publish/insert_review" is store/sql/publish/insert_review.sql."""
    package, _, rest = name.partition("/")
    return PACKAGE / package / "sql" / f"{rest}.sql"


@cache
def text(name: str) -> str:
    """Return a statement as its file holds it; raise LookupError, naming the file, where there is none."""
    try:
        return path(name).read_text("utf-8")
    except FileNotFoundError:
        raise LookupError(f"There is no SQL statement {name!r}: {path(name)} is missing.") from None


@cache
def statement(name: str) -> sa.TextClause:
    """Return a statement with its parameters `:name` to be bound; raise LookupError where there is none."""
    return sa.text(text(name))
