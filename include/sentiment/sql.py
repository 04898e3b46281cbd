"""SQL for Postgres, one statement in a file beside its package: `store/sql/publish/insert_night.sql`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from psycopg2.extensions import connection as PsycopgConnection
from psycopg2.sql import Composable
from sqlalchemy.dialects import postgresql

PACKAGE = Path(__file__).parent
MIGRATIONS = PACKAGE / "store" / "migrations"
VIEWS = PACKAGE / "store" / "sql" / "views"


def path(name: str) -> Path:
    """Return the file of a statement; "store/publish/insert_night" is store/sql/publish/insert_night.sql."""
    package, _, rest = name.partition("/")
    return PACKAGE / package / "sql" / f"{rest}.sql"


def sha256(text: str) -> str:
    """Return the hash by which `view_version` knows the text of a view's file."""
    return hashlib.sha256(text.encode()).hexdigest()


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


def with_literals(name: str, params: Mapping[str, Any]) -> str:
    """Return a statement with its parameters quoted in place, for Spark's JDBC reader, which can't bind any."""
    # Only psycopg2's own style doubles percent signs; another style leaves the statement as the server reads it.
    dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
    bound = statement(name).bindparams(**params)
    return str(bound.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


def execute(connection: sa.Connection, composed: Composable) -> sa.CursorResult[Any]:
    """Execute a statement whose identifiers and values psycopg2.sql quotes; for names that only the catalogue knows."""
    driver = cast("PsycopgConnection", connection.connection.driver_connection)
    quoted = composed.as_string(driver)
    # no_parameters: else psycopg2 would look for parameters behind percent signs of quoted values.
    return connection.exec_driver_sql(quoted, execution_options={"no_parameters": True})
