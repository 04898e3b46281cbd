"""Engines and transactions of the reviews database; its errors become errors of this project."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import psycopg2
import sqlalchemy as sa
from psycopg2.extensions import make_dsn
from pydantic import SecretStr
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, ProgrammingError

from sentiment import settings, sql
from sentiment.errors import (
    DiskFullError,
    InfrastructureError,
    OutOfMemoryError,
    ParameterError,
    ProgramError,
    ReadOnlyDatabaseError,
    SetupError,
    program_error,
    quoted,
)

if TYPE_CHECKING:
    from adbc_driver_manager import Error as BulkError
    from adbc_driver_manager.dbapi import Connection as BulkConnection

CONNECT = {"connect_timeout": 10, "application_name": "sentiment"}
"""libpq's parameters of every connection, beside those of its address."""
LOCK_NOT_AVAILABLE, INSUFFICIENT_PRIVILEGE, WRONG_STATEMENT = "55P03", "42501", "42"
READ_ONLY, DISK_FULL, OUT_OF_MEMORY = "25006", "53100", "53200"
SHOW_READ_ONLY = (
    'psql "$(sentiment db url --role writer)" '
    "--command=\"SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only')\""
)
ROLES = ("owner", "writer", "reader")
BOUND_BULK = "SELECT set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true)"
BULK_PREFIX = re.compile(r"^\w+: \[libpq\] (?:.*?ERROR:  )?")
"""What the driver of Arrow's batches puts before the server's own text, a statement among it."""
VERSION_TABLE = "schema_revision"
"""Table in which Alembic keeps the database's revision."""


def url(role: str = "writer") -> sa.URL:
    """Return the configured address for `role`.

    Raises SetupError where none is configured, ParameterError, naming the setting, where it is no address.
    """
    config = settings.load()
    secret: SecretStr | None = {
        "owner": config.owner_url,
        "writer": config.database_url,
        "reader": config.reader_url,
    }[role]
    name = "SENTIMENT_DATABASE_URL" if role == "writer" else f"SENTIMENT_{role.upper()}_URL"
    if secret is None:
        raise SetupError(f"{name} is not set, so the reviews database can't be reached as {role}.", "make nightly")
    # SQLAlchemy 2.1 takes a bare `postgresql://` for psycopg 3; errors and composed SQL here are psycopg2's.
    return parse_address(name, secret).set(drivername="postgresql+psycopg2")


def parse_address(variable: str, value: SecretStr) -> sa.URL:
    """Return the address that a setting holds; raise ParameterError, without the value, where it is none."""
    try:
        return sa.make_url(value.get_secret_value())
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        raise ParameterError(
            f"{variable} is no address; expected postgresql://user:password@host:port/name.",
            f"unset {quoted(variable)}",
        ) from None


# Beside the cache of `_engine`, which can't be listed.
_ENGINES: list[sa.Engine] = []


@lru_cache(maxsize=8)
def _engine(address: sa.URL) -> sa.Engine:
    # pool_pre_ping: a server that was restarted leaves dead connections in the pool.
    engine = sa.create_engine(address, pool_pre_ping=True, connect_args=CONNECT)
    sa.event.listen(engine, "connect", _bound_waits)
    _ENGINES.append(engine)
    return engine


def _bound_waits(connection: DBAPIConnection, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute("SELECT set_config('lock_timeout', %s, false)", (f"{settings.load().lock_timeout_s}s",))
    # Else the pool's first rollback would take the setting back.
    connection.commit()


def _leave_to_parent() -> None:
    # A forked child must not use, nor close, the connections of its parent.
    for engine in _ENGINES:
        engine.dispose(close=False)


os.register_at_fork(after_in_child=_leave_to_parent)


def engine(role: str = "writer") -> sa.Engine:
    """Return the engine for `role`, one a process."""
    return _engine(url(role))


@contextmanager
def transaction(role: str = "writer") -> Iterator[sa.Connection]:
    """Run the block in one transaction as `role`; commit at its end, roll back where it raises.

    Raises InfrastructureError where the server is away, refuses the connection, is out of disk or memory, takes no
    writes or a lock is not had in time; SetupError where the schema or the rights are not as this code needs them;
    ProgramError for a wrong statement. What a statement meets in the data, like a broken constraint, is raised as it
    is.
    """
    try:
        with engine(role).begin() as connection:
            yield connection
    except ProgrammingError as error:
        raise _refused(error, role, str(error.orig)) from error
    except DBAPIError as error:
        if _code(error) == LOCK_NOT_AVAILABLE:
            raise _locked_out(role) from error
        failed = failure(error, engine(role).url)
        if failed is None:
            raise
        raise failed from error


@contextmanager
def bulk_transaction(role: str = "writer") -> Iterator[BulkConnection]:
    """Run the block in one transaction of a new connection, which takes Arrow's batches; commit at its end.

    Rolls back where the block raises. Raises what `transaction` does, and InfrastructureError too for what a row meets
    in the server. Neither waits for locks nor statements take longer than the settings allow.
    """
    # Imported here: only publishing needs the driver, whose import takes a while.
    import adbc_driver_manager
    from adbc_driver_postgresql import dbapi

    config, address = settings.load(), engine(role).url
    bounds = (f"{config.lock_timeout_s}s", f"{config.statement_timeout_s}s")
    try:
        with dbapi.connect(_conninfo(role)) as connection:
            with connection.cursor() as cursor:
                cursor.execute(BOUND_BULK, bounds)
                cursor.fetchall()
            yield connection
            connection.commit()
    except adbc_driver_manager.Error as error:
        raise _bulk_failure(error, role, address) from error


def _conninfo(role: str) -> str:
    """Return the address of `role` with every parameter, TLS among them, as libpq takes it."""
    # Not as an address: libpq takes a plus sign for itself, SQLAlchemy writes it for a space.
    _, parameters = engine(role).dialect.create_connect_args(engine(role).url)
    return str(make_dsn(**{**parameters, **CONNECT}))


def _bulk_failure(error: BulkError, role: str, address: sa.URL) -> InfrastructureError | SetupError | ProgramError:
    code, text = _code(error) or "", BULK_PREFIX.sub("", str(error)).strip()
    # The first line alone: those after it may hold a row's values.
    line = text.partition("\n")[0]
    if code == LOCK_NOT_AVAILABLE:
        return _locked_out(role)
    if code.startswith(WRONG_STATEMENT):
        return _refused(error, role, line)
    server = f"reviews database at {_where(address)}"
    return _named_failure(code, server, line) or InfrastructureError(
        f"The {server} failed: {line}", _mend(error, address)
    )


def _code(error: DBAPIError | psycopg2.Error | BulkError) -> str | None:
    """Return the SQLSTATE that the server reported; None where the error is the connection's."""
    reported = getattr(error, "orig", error)
    return getattr(reported, "pgcode", None) or getattr(reported, "sqlstate", None)


def _refused(error: ProgrammingError | BulkError, role: str, text: str) -> SetupError | ProgramError:
    """Return the error for a statement that the server does not take: of the rights, the schema, else of the code."""
    if _code(error) == INSUFFICIENT_PRIVILEGE or not _is_migrated(role):
        return SetupError(f"The {role} role can't use the reviews database: {text}".strip(), "sentiment db migrate")
    return program_error(error, text)


def _is_migrated(role: str) -> bool:
    """Return whether tables and views are those that this code's migrations and view files make."""
    with engine(role).connect() as c:
        if revision(c) != newest_revision():
            return False
        applied = set(c.execute(sa.text("SELECT file_sha256 FROM view_version")).scalars())
    return applied >= {sql.sha256(path.read_text("utf-8")) for path in sql.VIEWS.glob("*.sql")}


def revision(connection: sa.Connection) -> str | None:
    """Return the revision that the database is at; None before the first."""
    from alembic.runtime.migration import MigrationContext

    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


def newest_revision() -> str:
    """Return the newest revision that this code knows."""
    from alembic.script import ScriptDirectory

    return str(ScriptDirectory(str(sql.MIGRATIONS)).get_current_head())


def _locked_out(role: str) -> InfrastructureError:
    # The holder is most likely the oldest transaction that has changed or locked something.
    with engine(role).begin() as c:
        holder = c.exec_driver_sql(
            "SELECT pid, usename FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database() "
            "AND (backend_xid IS NOT NULL OR pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted))"
            " ORDER BY xact_start LIMIT 1"
        ).one_or_none()
    who = f"process {holder.pid} ({holder.usename})" if holder else "gone by now"
    waited = settings.load().lock_timeout_s
    return InfrastructureError(
        f"Waited {waited} s for a lock of the reviews database; its holder: {who}.", "sentiment runs"
    )


def failure(error: DBAPIError | psycopg2.Error, address: sa.URL | None = None) -> InfrastructureError | None:
    """Return an error that names the server and what it reported, without the password.

    None where neither server nor connection has failed, but the statement or the data.
    """
    reported = getattr(error, "orig", error)
    lines = str(reported).strip().splitlines() or [repr(reported)]
    server = f"reviews database at {_where(address)}" if address else "database"
    if named := _named_failure(_code(error), server, lines[0]):
        return named
    if isinstance(reported, psycopg2.OperationalError) or getattr(error, "connection_invalidated", False):
        return InfrastructureError(f"The {server} failed: {lines[-1]}", _mend(error, address))
    return None


def _named_failure(code: str | None, server: str, line: str) -> InfrastructureError | None:
    """Return the error of what a SQLSTATE alone names; `line` is what the server reported."""
    if code == READ_ONLY:
        return ReadOnlyDatabaseError(f"The {server} takes no writes: {line}.", SHOW_READ_ONLY)
    if code == DISK_FULL:
        return DiskFullError(f"The disk of the {server} is full: {line}.", "df -h, on the database server")
    if code == OUT_OF_MEMORY:
        return OutOfMemoryError(f"The {server} has no memory left: {line}.", "free -m, on the database server")
    return None


def _where(address: sa.URL) -> str:
    return f"{address.host}:{address.port or 5432}/{address.database} as {address.username}"


def _mend(error: DBAPIError | psycopg2.Error | BulkError, address: sa.URL | None) -> str:
    """Return the command that starts this home's own server again, where that is what can't be reached."""
    own = sa.make_url(settings.load().embedded_url or "postgresql://")
    is_own = address is not None and (own.host, own.port) == (address.host, address.port)
    return "sentiment db start" if is_own and _code(error) is None else "sentiment doctor"


def jdbc_options(address: sa.URL) -> dict[str, str]:
    """Return Spark's JDBC options for the same server; TLS parameters go along, whose names JDBC has from libpq."""
    query = urlencode({**address.query, "reWriteBatchedInserts": "true"}, doseq=True)
    return {
        "url": f"jdbc:postgresql://{address.host}:{address.port or 5432}/{address.database}?{query}",
        "user": address.username or "",
        "password": address.password or "",
        "driver": "org.postgresql.Driver",
    }
