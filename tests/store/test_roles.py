"""Three roles, each with what it needs and no more: every role tries every verb on every relation."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import pytest
import sqlalchemy as sa
from psycopg2.sql import SQL, Composable, Identifier, Literal
from sentiment import database
from sentiment.embedded import machine
from sentiment.sql import execute
from sentiment.store import migrate, roles
from sentiment.store.staging import Staging
from sqlalchemy.exc import DBAPIError, InternalError, ProgrammingError

pytestmark = pytest.mark.usefixtures("server")

HIDDEN = {"review", "review_version", "quarantine", "unread_value", "pseudonym_salt", "forgotten"}
"""Tables of `sentiment` that hold author names, or what would tell them."""
UPDATABLE = {"v_unopened_runs"}
"""Views of one table, which Postgres lets their owner write through; the owner may write the table anyway."""
STAGED = Staging("20310105-00000000", 1)

VERBS = {
    "SELECT": SQL("SELECT 1 FROM {what} LIMIT 0"),
    "INSERT": SQL("INSERT INTO {what} DEFAULT VALUES"),
    "UPDATE": SQL("UPDATE {what} SET {column} = DEFAULT WHERE false"),
    "DELETE": SQL("DELETE FROM {what} WHERE false"),
    "TRUNCATE": SQL("TRUNCATE {what}"),
    "USAGE": SQL("SELECT nextval({quoted})"),
    "EXECUTE": SQL("SELECT {what}({nothing})"),
}
TABLE = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
VERBS_OF = {"table": TABLE, "partition": TABLE, "view": TABLE, "sequence": ("USAGE",), "function": ("EXECUTE",)}
DENIED = {"42501", "55000", "42809"}
"""insufficient_privilege; and what a view answers to be written to: it can't be, whoever asks."""

EVERYTHING = """
SELECT n.nspname AS schema, c.relname AS name, CASE WHEN c.relkind = 'v' THEN 'view' WHEN c.relkind = 'S'
    THEN 'sequence' WHEN c.relispartition THEN 'partition' ELSE 'table' END AS kind,
  (SELECT attname FROM pg_attribute WHERE attrelid = c.oid AND attnum = 1) AS column, '' AS nothing,
  false AS definer
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('sentiment', 'drift', 'staging') AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
UNION ALL
SELECT n.nspname, p.proname, 'function', '', (SELECT coalesce(string_agg('NULL::' || format_type(t, NULL), ', '), '')
    FROM unnest(p.proargtypes) AS t), p.prosecdef
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname IN ('sentiment', 'drift', 'staging')
ORDER BY 1, 2
"""


class Thing(NamedTuple):
    """A relation or function; `definer` where it acts as the owner whoever calls it."""

    schema: str
    name: str
    kind: str
    column: str
    nothing: str
    definer: bool


def rule(role: str, verb: str, what: Thing) -> bool:
    """Whether `role` may: all that has been decided about rights, in one place."""
    if what.kind == "view":
        return verb == "SELECT" or (role == "owner" and what.name in UPDATABLE and verb != "TRUNCATE")
    if what.schema == "staging":
        return role == "writer"  # its work tables are its own; the owner may still drop them
    if role == "owner":
        return True
    if role == "writer":
        # Partitions are reached through their parent.
        return verb != "TRUNCATE" and what.kind != "partition" and what.name != "pseudonym_salt"
    return (verb == "SELECT" and what.kind == "table" and what.name not in HIDDEN) or (
        verb == "EXECUTE" and not what.definer
    )


@pytest.fixture
def everything() -> Iterator[list[Thing]]:
    """All relations and functions, a partition and work tables among them."""
    STAGED.create()
    with database.transaction("owner") as c:
        c.exec_driver_sql("SELECT sentiment.ensure_month('2031-01-05')")
        actual = [Thing(*row) for row in c.execute(sa.text(EVERYTHING))]
    yield actual
    STAGED.drop()
    with database.transaction("owner") as c:
        c.exec_driver_sql("DROP TABLE sentiment.night_review_203101")


def attempt(role: str, statement: Composable, read_only: bool = False) -> None:
    with database.engine(role).connect() as connection, connection.begin() as transaction:
        if not read_only:
            connection.execute(sa.text("SET TRANSACTION READ WRITE"))
        execute(connection, statement)
        transaction.rollback()


def may(role: str, verb: str, what: Thing) -> bool:
    """Try it; a fault of another kind than denied rights comes after they were looked at."""
    names = {"what": Identifier(what.schema, what.name), "quoted": Literal(f"{what.schema}.{what.name}")}
    statement = VERBS[verb].format(**names, column=Identifier(what.column or "none"), nothing=SQL(what.nothing))
    try:
        attempt(role, statement)
    except DBAPIError as error:
        return getattr(error.orig, "pgcode", None) not in DENIED
    return True


@pytest.mark.parametrize("role", database.ROLES)
def test_all_roles_have_the_rights_of_the_rule(role: str, everything: list[Thing]) -> None:
    assert {what.kind for what in everything} == set(VERBS_OF)
    assert {what.name for what in everything} > HIDDEN
    tried = {
        f"{verb} {what.schema}.{what.name}": (may(role, verb, what), rule(role, verb, what))
        for what in everything
        for verb in VERBS_OF[what.kind]
    }
    assert {name: actual for name, (actual, _) in tried.items()} == {name: due for name, (_, due) in tried.items()}


def test_readers_statements_end_in_time_and_only_read() -> None:
    names = ("statement_timeout", "default_transaction_read_only", "transaction_read_only")
    with database.transaction("reader") as c:
        actual = [c.exec_driver_sql(f"SHOW {name}").scalar_one() for name in names]
    assert actual == ["1min", "on", "on"]
    assert roles.READER_TIMEOUT_S == 60


def test_readers_statement_that_takes_too_long_is_ended() -> None:
    with database.engine("reader").connect() as c:
        c.exec_driver_sql("SET statement_timeout = '50ms'")
        with pytest.raises(DBAPIError, match="statement timeout"):
            c.exec_driver_sql("SELECT pg_sleep(5)")


@pytest.mark.parametrize("statement", ["DELETE FROM sentiment.film_night", "CREATE TABLE staging.mine (n int)"])
def test_reader_writes_nothing_by_mistake(statement: str) -> None:
    with pytest.raises(InternalError, match="read-only"):
        attempt("reader", SQL(statement), read_only=True)


@pytest.mark.parametrize(
    ("role", "statement"),
    list(
        product(
            ("writer", "reader"),
            (
                "DROP TABLE sentiment.review",
                "ALTER TABLE sentiment.run ADD COLUMN x int",
                "CREATE TABLE sentiment.mine (n int)",
                "CREATE TABLE public.mine (n int)",
                "CREATE ROLE other",
                "SET ROLE sentiment_owner",
            ),
        )
    ),
)
def test_only_the_owner_changes_what_there_is(role: str, statement: str) -> None:
    with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
        attempt(role, SQL(statement))


def test_reader_makes_no_work_tables() -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        attempt("reader", SQL("CREATE TABLE staging.mine (n int)"))


def test_airflow_database_is_closed_to_the_writer(ready: machine.Machine) -> None:
    address = database.url("writer").set(database="airflow")
    with pytest.raises(DBAPIError, match="permission denied for database"), sa.create_engine(address).connect():
        pass


def test_migrating_again_changes_nothing() -> None:
    assert migrate.upgrade() == migrate.head() == migrate.current("reader")
