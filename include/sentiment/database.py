"""Engines for the reviews database, and its faults in our own words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from urllib.parse import urlencode

import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError, ProgrammingError

from sentiment import settings
from sentiment.errors import InfrastructureError, SetupError

ROLES = ("owner", "writer", "reader")


def url(role: str = "writer") -> sa.URL:
    """The configured address for `role`; SetupError where none is configured."""
    config = settings.load()
    secret: SecretStr | None = {
        "owner": config.owner_url,
        "writer": config.database_url,
        "reader": config.reader_url,
    }[role]
    if secret is None:
        name = "SENTIMENT_DATABASE_URL" if role == "writer" else f"SENTIMENT_{role.upper()}_URL"
        raise SetupError(f"{name} is not set, so the reviews database can't be reached as {role}.", "make nightly")
    return sa.make_url(secret.get_secret_value()).set(drivername="postgresql+psycopg2")


@lru_cache(maxsize=8)
def _engine(address: sa.URL) -> sa.Engine:
    return sa.create_engine(
        address, pool_pre_ping=True, connect_args={"connect_timeout": 10, "application_name": "sentiment"}
    )


def engine(role: str = "writer") -> sa.Engine:
    """The engine for `role`, one a process."""
    return _engine(url(role))


@contextmanager
def transaction(role: str = "writer") -> Iterator[sa.Connection]:
    """One transaction; a server that is away or refuses us becomes an InfrastructureError."""
    try:
        with engine(role).begin() as connection:
            yield connection
    except OperationalError as error:
        raise unreachable(error, engine(role).url) from error
    except ProgrammingError as error:
        raise SetupError(
            f"The {role} role can't use the reviews database: {error.orig}".strip(), "sentiment db migrate"
        ) from error


def unreachable(error: OperationalError, address: sa.URL) -> InfrastructureError:
    """Say which server failed us and how, without the password."""
    where = f"{address.host}:{address.port or 5432}/{address.database} as {address.username}"
    reason = str(error.orig).strip().splitlines()[-1]
    return InfrastructureError(f"The reviews database at {where} failed: {reason}", "sentiment doctor")


def jdbc_options(address: sa.URL) -> dict[str, str]:
    """Spark's JDBC options for the same server, TLS parameters included: JDBC knows them by libpq's names."""
    query = urlencode({**address.query, "reWriteBatchedInserts": "true"}, doseq=True)
    return {
        "url": f"jdbc:postgresql://{address.host}:{address.port or 5432}/{address.database}?{query}",
        "user": address.username or "",
        "password": address.password or "",
        "driver": "org.postgresql.Driver",
    }
