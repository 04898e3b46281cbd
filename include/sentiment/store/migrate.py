"""Bring the reviews database to the newest revision (Alembic, as owner), and its views to what their files hold."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from sentiment import database, sql
from sentiment.store import views

# Advisory lock under which one session at a time migrates.
LOCK_KEY = 7_301_844_150_923_001
LOCK_TIMEOUT = "10s"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(sql.MIGRATIONS))
    return config


def upgrade(to: str = "head") -> str:
    """Run the migrations that are missing, apply views at the newest revision, and return the revision reached.

    Two at once wait for each other. Raises InfrastructureError where another session keeps a table locked, since
    waiting longer would stop everyone else, and SetupError where a view can't be replaced.
    """
    config = _config()
    engine = sa.create_engine(database.url("owner"), poolclass=sa.NullPool)
    # The lock is held by a connection of its own: each migration commits its transaction, which would let go of the
    # lock.
    with database.transaction("owner") as guard, engine.connect() as connection:
        guard.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
        connection.execute(sa.text("SELECT set_config('lock_timeout', :timeout, false)"), {"timeout": LOCK_TIMEOUT})
        # Committed, since Alembic commits nothing in a transaction that it has not begun.
        connection.commit()
        config.attributes["connection"] = connection
        command.upgrade(config, to)
        if to == "head":
            connection.commit()  # Alembic leaves a transaction open where it had nothing to do
            with connection.begin():
                views.apply(connection)
    return str(current())


def head() -> str:
    """Return the newest revision that this code knows."""
    return database.newest_revision()


def current(role: str = "owner") -> str | None:
    """Return the revision that the database is at; None before the first."""
    with database.transaction(role) as connection:
        return database.revision(connection)
