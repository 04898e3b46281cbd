"""Engines and transactions of the reviews database; its errors become errors of this project."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from urllib.parse import urlencode

import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError, ProgrammingError

from sentiment import settings
from sentiment.errors import InfrastructureError, SetupError

LOCK_NOT_AVAILABLE = "55P03"
ROLES = ("owner", "writer", "reader")


def url(role: str = "writer") -> sa.URL:
    """Return the configured address for `role`; raise SetupError where none is configured."""
    config = settings.load()
    secret: SecretStr | None = {
        "owner": config.owner_url,
        "writer": config.database_url,
        "reader": config.reader_url,
    }[role]
    if secret is None:
        name = "SENTIMENT_DATABASE_URL" if role == "writer" else f"SENTIMENT_{role.upper()}_URL"
        raise SetupError(f"{name} is not set, so the reviews database can't be reached as {role}.", "make nightly")
    # SQLAlchemy 2.1 takes a bare `postgresql://` for psycopg 3; errors and composed SQL here are psycopg2's.
    return sa.make_url(secret.get_secret_value()).set(drivername="postgresql+psycopg2")


# Beside the cache of `_engine`, which can't be listed.
_ENGINES: list[sa.Engine] = []


@lru_cache(maxsize=8)
def _engine(address: sa.URL) -> sa.Engine:
    # pool_pre_ping: a server that was restarted leaves dead connections in the pool.
    engine = sa.create_engine(
        address, pool_pre_ping=True, connect_args={"connect_timeout": 10, "application_name": "sentiment"}
    )
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

    Raises InfrastructureError where the server is away, refuses the connection or a lock is not had in time, and
    SetupError where the schema or the rights are not as this code needs them.
    """
    try:
        with engine(role).begin() as connection:
            yield connection
    except OperationalError as error:
        if getattr(error.orig, "pgcode", None) == LOCK_NOT_AVAILABLE:
            raise _locked_out(role) from error
        raise unreachable(error, engine(role).url) from error
    except ProgrammingError as error:
        raise SetupError(
            f"The {role} role can't use the reviews database: {error.orig}".strip(), "sentiment db migrate"
        ) from error


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


def unreachable(error: OperationalError, address: sa.URL) -> InfrastructureError:
    """Return an error that names the server and what it reported, without the password."""
    where = f"{address.host}:{address.port or 5432}/{address.database} as {address.username}"
    reason = str(error.orig).strip().splitlines()[-1]
    return InfrastructureError(f"The reviews database at {where} failed: {reason}", _mend(error, address))


def _mend(error: OperationalError, address: sa.URL) -> str:
    """Return the command that starts this home's own server again, where that is what can't be reached."""
    own = sa.make_url(settings.load().embedded_url or "postgresql://")
    has_answered = getattr(error.orig, "pgcode", None) is not None
    is_own = (own.host, own.port) == (address.host, address.port)
    return "sentiment db start" if is_own and not has_answered else "sentiment doctor"


def jdbc_options(address: sa.URL) -> dict[str, str]:
    """Return Spark's JDBC options for the same server; TLS parameters go along, whose names JDBC has from libpq."""
    query = urlencode({**address.query, "reWriteBatchedInserts": "true"}, doseq=True)
    return {
        "url": f"jdbc:postgresql://{address.host}:{address.port or 5432}/{address.database}?{query}",
        "user": address.username or "",
        "password": address.password or "",
        "driver": "org.postgresql.Driver",
    }
