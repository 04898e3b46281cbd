"""What the server reports becomes an error of ours: of the code, of the schema and rights, or of the infrastructure."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2.extensions
import pytest
import sqlalchemy as sa
from sentiment import database
from sentiment.database import transaction
from sentiment.errors import InfrastructureError, ProgramError, ReadOnlyDatabaseError, SentimentError, SetupError
from sentiment.runs import opening
from sentiment.runs.model import DumpFile
from sqlalchemy.exc import IntegrityError

from tests.kit import databases
from tests.kit.databases import Database

FILE = DumpFile(0, "s3://none", "0" * 64, "jsonl", "none", 1, 1)

pytestmark = pytest.mark.usefixtures("config")


def error_of(statement: str) -> SentimentError:
    with pytest.raises(SentimentError) as raised, transaction() as c:
        c.execute(sa.text(statement))
    return raised.value


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("SELECT nope FROM sentiment.run", ProgramError),
        ("SELECT 1 FROM sentiment.nope", ProgramError),
        ("SELEC 1", ProgramError),
        ("DROP TABLE sentiment.run", SetupError),  # the writer may not
        ("SELECT pg_terminate_backend(pg_backend_pid())", InfrastructureError),
    ],
)
def test_class_of_error_follows_from_what_the_server_reports(statement: str, kind: type[SentimentError]) -> None:
    assert type(error_of(statement)) is kind


def test_a_wrong_statement_in_a_schema_of_another_version_is_no_fault_of_the_code(server: Database) -> None:
    with databases.empty(server, "unmigrated") as other:
        assert type(error_of("SELECT 1 FROM sentiment.run")) is SetupError
    databases.drop(other)
    with databases.copy_of(server, "other_views") as other:
        with transaction("owner") as c:
            changed = c.execute(sa.text("UPDATE view_version SET file_sha256 = 'x' RETURNING view_name")).all()
        assert changed
        assert type(error_of("SELECT nope FROM sentiment.v_runs")) is SetupError
    databases.drop(other)


def test_a_broken_constraint_is_raised_as_it_is() -> None:
    with pytest.raises(IntegrityError), transaction() as c:
        c.execute(sa.text("INSERT INTO sentiment.dump DEFAULT VALUES"))


def reload(cursor: psycopg2.extensions.cursor, expected: str) -> None:
    """Let the server read its settings again, and wait until new sessions have `default_transaction_read_only` so."""
    cursor.execute("SELECT pg_reload_conf()")
    shown, end = None, time.monotonic() + 30
    while shown != expected and time.monotonic() < end:
        time.sleep(0.1)
        cursor.execute("SHOW default_transaction_read_only")
        (shown,) = cursor.fetchone() or (None,)
    assert shown == expected
    database.engine().dispose()  # a session of the pool may not have read them yet


@contextmanager
def takes_no_writes(server: Database) -> Iterator[None]:
    with closing(psycopg2.connect(server.server.url("postgres"))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        try:
            cursor.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            reload(cursor, "on")
            yield
        finally:
            cursor.execute("ALTER SYSTEM RESET default_transaction_read_only")
            reload(cursor, "off")


def test_a_database_that_takes_no_writes_is_named(server: Database) -> None:
    with takes_no_writes(server):
        with pytest.raises(ReadOnlyDatabaseError) as refused:
            opening.record_dump(FILE.sha256, "allocine", FILE.uri, [FILE])
    assert str(database.url().database) in refused.value.message
    assert "default_transaction_read_only" in refused.value.try_next
    opening.record_dump(FILE.sha256, "allocine", FILE.uri, [FILE])
