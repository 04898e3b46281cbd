"""Reviews databases made from a template, each with a run workspace of its own."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psutil
import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from sentiment import database, settings
from sentiment.embedded import machine
from sentiment.embedded.postgres import EmbeddedPostgres, Server
from sentiment.settings import Settings
from sentiment.store import migrate, roles

_NUMBERS = count(1)
URL_SETTINGS = {"owner": "SENTIMENT_OWNER_URL", "writer": "SENTIMENT_DATABASE_URL", "reader": "SENTIMENT_READER_URL"}
WORKSPACE_SETTING = "SENTIMENT_LAKE"
TEMPLATE = "reviews"


@dataclass(frozen=True)
class Database:
    """A reviews database on the session's server, and its run workspace."""

    server: Server
    name: str
    workspace: Path


def template(config: Settings) -> Database:
    """Start the server of `config`'s home and bring its reviews database to the newest revision."""
    server = machine.start_postgres(config)
    settings.load.cache_clear()
    _do_not_wait_for_the_disk(server)
    migrate.upgrade()
    _disconnect()
    return Database(server, TEMPLATE, Path(settings.load().lake))


def _do_not_wait_for_the_disk(server: Server) -> None:
    """Have the server leave its writes to the system: a test's rows need to survive a killed server, no power cut."""
    with _superuser(server) as connection, connection.cursor() as cursor:
        for name in ("fsync", "full_page_writes"):
            cursor.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(name)))
        cursor.execute("SELECT pg_reload_conf()")


@contextmanager
def copy_of(original: Database, name: str) -> Iterator[Database]:
    """Copy database and run workspace, and let the settings name the copy; the copy stays until it is dropped."""
    copy = Database(original.server, *_names(original, name))
    _disconnect()
    _create(copy, original.name)
    if original.workspace.exists():
        shutil.copytree(original.workspace, copy.workspace)
    with _named_by_settings(copy):
        yield copy


@contextmanager
def empty(beside: Database, name: str) -> Iterator[Database]:
    """Create a database without our schemas, and let the settings name it; it stays until it is dropped."""
    created = Database(beside.server, *_names(beside, name))
    _create(created, "template1")
    with _named_by_settings(created):
        yield created


@contextmanager
def _named_by_settings(copy: Database) -> Iterator[None]:
    before = {variable: os.environ.get(variable) for variable in (*URL_SETTINGS.values(), WORKSPACE_SETTING)}
    addresses = {URL_SETTINGS[role]: database.url(role).set(drivername="postgresql") for role in database.ROLES}
    for variable, address in addresses.items():
        os.environ[variable] = address.set(database=copy.name).render_as_string(hide_password=False)
    os.environ[WORKSPACE_SETTING] = str(copy.workspace)
    settings.load.cache_clear()
    try:
        yield
    finally:
        _disconnect()
        for variable, value in before.items():
            os.environ.pop(variable) if value is None else os.environ.update({variable: value})
        settings.load.cache_clear()


def drop(copy: Database) -> None:
    """Remove database and run workspace of a copy."""
    with _superuser(copy.server) as connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(copy.name)))
    shutil.rmtree(copy.workspace, ignore_errors=True)


def _names(original: Database, name: str) -> tuple[str, Path]:
    slug = re.sub(r"\W+", "_", name.removesuffix(".py").rsplit("/", 1)[-1]).strip("_").lower()
    unique = f"reviews_{slug[:40]}_{next(_NUMBERS)}"
    return unique, original.workspace.parent / f"workspace-{unique}"


def _create(copy: Database, original: str) -> None:
    """Create the database; rights on a database itself are no part of its template."""
    name = sql.Identifier(copy.name)
    with _superuser(copy.server) as connection, connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER sentiment_owner STRATEGY FILE_COPY").format(
                name, sql.Identifier(original)
            )
        )
        roles.grant_on_database(cursor, copy.name)


@contextmanager
def _superuser(server: Server) -> Iterator[Connection]:
    with closing(psycopg2.connect(server.url("postgres"))) as connection:
        connection.autocommit = True
        yield connection


def _disconnect() -> None:
    """Close our pooled connections: a database that somebody is connected to can't be a template."""
    for engine in database._ENGINES:
        engine.dispose()


def postmaster(postgres: EmbeddedPostgres) -> psutil.Process:
    """Return the first process of a running server, whose children are all others."""
    return psutil.Process(int((postgres.folder / "postmaster.pid").read_text().split()[0]))
