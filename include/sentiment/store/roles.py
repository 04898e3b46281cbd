"""The three roles, their passwords and the two databases.

They are made as a superuser of the embedded server at every start, as an administrator of another server once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
import sqlalchemy as sa
from psycopg2 import sql
from psycopg2.errors import InsufficientPrivilege
from psycopg2.extensions import cursor
from pydantic import SecretStr

from sentiment.database import parse_address
from sentiment.errors import InfrastructureError, ParameterError, SetupError
from sentiment.settings import Settings

READER_TIMEOUT_S = 60

ROLE_SETTINGS = {
    "sentiment_owner": {},
    "sentiment_writer": {},
    "sentiment_reader": {
        "default_transaction_read_only": "on",
        "statement_timeout": f"{READER_TIMEOUT_S}s",
        "idle_in_transaction_session_timeout": "5min",
    },
    "airflow": {},
}
DATABASE_OWNERS = {"reviews": "sentiment_owner", "airflow": "airflow"}
ADDRESSES = {
    "sentiment_owner": "owner_url",
    "sentiment_writer": "database_url",
    "sentiment_reader": "reader_url",
    "airflow": "airflow_url",
}
"""Role -> the setting that holds its address."""
RIGHTS = ("SUPERUSER", "CREATEDB", "CREATEROLE")


def configured(config: Settings) -> dict[str, sa.URL]:
    """Return role -> its configured address; raise ParameterError naming the first that is missing or no address."""
    addresses = {}
    for role, name in ADDRESSES.items():
        secret: SecretStr | None = getattr(config, name)
        if secret is None:
            raise ParameterError(f"SENTIMENT_{name.upper()} is not set: the address for {role}.", "sentiment db roles")
        addresses[role] = parse_address(f"SENTIMENT_{name.upper()}", secret)
    return addresses


def configured_passwords(config: Settings) -> dict[str, str]:
    """Return role -> password of its address; raise ParameterError naming the first that is missing."""
    passwords = {}
    for role, address in configured(config).items():
        if not address.password:
            name = ADDRESSES[role].upper()
            raise ParameterError(f"SENTIMENT_{name} is not set with a password for {role}.", "sentiment db roles")
        passwords[role] = str(address.password)
    return passwords


def ensure(superuser_dsn: str, passwords: dict[str, str]) -> None:
    """Create or update the roles with `passwords` (by role name) and create the databases.

    A managed service's administrator will do, who is no superuser but has CREATEROLE and CREATEDB. Raises
    SetupError where it has not, InfrastructureError where it can't connect.
    """
    with _administrator(superuser_dsn) as cur:
        for role, options in ROLE_SETTINGS.items():
            _ensure_role(cur, role, passwords[role], options)
        for name, owner in DATABASE_OWNERS.items():
            _join(cur, owner)
            _ensure_database(cur, name, owner)


@contextmanager
def _administrator(dsn: str) -> Iterator[cursor]:
    try:
        # psycopg2's own `with connection` would leave it open, and since 2.9 begin a transaction in spite of
        # autocommit.
        with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cur:
            # CREATE DATABASE refuses to run in a transaction.
            connection.autocommit = True
            yield cur
    except psycopg2.OperationalError as error:
        raise InfrastructureError(
            f"The administrator of the database server can't connect: {str(error).strip()}",
            'psql "$SENTIMENT_SUPERUSER_URL"',
        ) from error
    except InsufficientPrivilege as error:
        raise SetupError(
            f"The administrator of the database server may not make its roles: {str(error).strip()}",
            "as a superuser of that server: ALTER ROLE <the administrator> CREATEROLE CREATEDB",
        ) from error


def _ensure_role(cur: cursor, role: str, password: str, options: dict[str, str]) -> None:
    cur.execute("SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = %s", (role,))
    rights = cur.fetchone()
    template = sql.SQL("ALTER ROLE {} LOGIN {} PASSWORD {}" if rights else "CREATE ROLE {} LOGIN {} PASSWORD {}")
    # Only rights that the role has are revoked: NOSUPERUSER, of whatever role, takes a superuser.
    revoked = [sql.SQL(f"NO{right}") for right, has in zip(RIGHTS, rights or (), strict=False) if has]
    cur.execute(template.format(sql.Identifier(role), sql.SQL(" ").join(revoked), sql.Literal(password)))
    for name, value in options.items():
        cur.execute(
            sql.SQL("ALTER ROLE {} SET {} = {}").format(sql.Identifier(role), sql.Identifier(name), sql.Literal(value))
        )


def _join(cur: cursor, role: str) -> None:
    # An administrator that is no superuser can make databases only for roles that it is a member of.
    cur.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    if cur.fetchone() != (True,):
        cur.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(role)))


def _ensure_database(cur: cursor, name: str, owner: str) -> None:
    cur.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
    if not cur.fetchone():
        cur.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner)))
    grant_on_database(cur, name)


def grant_on_database(cur: cursor, name: str) -> None:
    """Let the roles of a database connect to it, and nobody else."""
    # By default everybody may connect to a database, and make temporary tables in it.
    cur.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
    roles = [r for r in ROLE_SETTINGS if (r == "airflow") == (name == "airflow")]
    for role in roles:
        # The writer makes temporary tables and views while it publishes.
        rights = sql.SQL("CONNECT, TEMPORARY" if role == "sentiment_writer" else "CONNECT")
        template = sql.SQL("GRANT {} ON DATABASE {} TO {}")
        cur.execute(template.format(rights, sql.Identifier(name), sql.Identifier(role)))
