"""Three roles, each with what it needs and no more; every relation and column says what it is."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sentiment import database
from sentiment.embedded import machine
from sentiment.store import migrate
from sqlalchemy.exc import DBAPIError, InternalError, ProgrammingError

pytestmark = pytest.mark.usefixtures("ready")

HIDDEN = ("sentiment.review", "sentiment.quarantine", "sentiment.pseudonym_salt")
OPEN = (
    "sentiment.v_review_sentiment",
    "sentiment.v_daily_sentiment",
    "sentiment.v_film_sentiment",
    "sentiment.v_runs",
    "sentiment.v_quarantine_reasons",
    "sentiment.film_night",
    "drift.v_drift",
    "drift.drift_metrics",
)


def attempt(role: str, statement: str) -> None:
    with database.engine(role).connect() as connection, connection.begin() as transaction:
        connection.execute(sa.text(statement))
        transaction.rollback()


@pytest.mark.parametrize("relation", OPEN)
def test_reader_reads_what_is_open(relation: str) -> None:
    attempt("reader", f"SELECT * FROM {relation} LIMIT 1")


@pytest.mark.parametrize("relation", HIDDEN)
def test_reader_never_sees_names(relation: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        attempt("reader", f"SELECT * FROM {relation} LIMIT 1")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM sentiment.film_night",
        "UPDATE sentiment.run SET status = 'failed'",
        "CREATE TABLE staging.mine (n int)",
        "TRUNCATE drift.drift_metrics",
    ],
)
def test_reader_writes_nothing_even_when_it_leaves_read_only_mode(statement: str) -> None:
    with pytest.raises(InternalError, match="read-only"):
        attempt("reader", statement)
    with pytest.raises(ProgrammingError, match="permission denied"):
        attempt("reader", f"SET TRANSACTION READ WRITE; {statement}")


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE sentiment.review",
        "ALTER TABLE sentiment.run ADD COLUMN x int",
        "CREATE TABLE sentiment.mine (n int)",
        "SELECT * FROM sentiment.pseudonym_salt",
        "CREATE ROLE other",
    ],
)
def test_writer_does_not_own(statement: str) -> None:
    with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
        attempt("writer", statement)


def test_airflow_database_is_not_ours(ready: machine.Machine) -> None:
    address = database.url("writer").set(database="airflow")
    with pytest.raises(DBAPIError, match="permission denied for database"), sa.create_engine(address).connect():
        pass


def test_everything_says_what_it_is() -> None:
    query = """
SELECT c.oid::regclass::text || coalesce('.' || a.attname, '') AS what
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname IN ('sentiment', 'drift') AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
  AND (obj_description(c.oid) IS NULL OR col_description(c.oid, a.attnum) IS NULL)"""
    with database.transaction("owner") as c:
        assert c.execute(sa.text(query)).scalars().all() == []


def test_migrating_again_changes_nothing() -> None:
    assert migrate.upgrade() == migrate.head() == migrate.current("reader")
