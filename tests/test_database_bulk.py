"""The connection that takes Arrow's batches is bound like the others, and its errors are those of the others."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from adbc_driver_manager import AdbcStatusCode, OperationalError
from sentiment import database, settings
from sentiment.database import bulk_transaction, transaction
from sentiment.errors import (
    DiskFullError,
    InfrastructureError,
    OutOfMemoryError,
    ProgramError,
    ReadOnlyDatabaseError,
    SentimentError,
    SetupError,
)
from sentiment.settings import Settings

pytestmark = pytest.mark.usefixtures("server")


def ask(query: str, role: str = "writer") -> Any:
    with bulk_transaction(role) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def test_it_has_the_timeouts_and_the_name_of_the_others(set_settings: Callable[..., Settings]) -> None:
    config = set_settings(lock_timeout_s=7, statement_timeout_s=77)
    names = ("lock_timeout", "statement_timeout", "application_name", "TimeZone")
    query = f"SELECT {', '.join(f'current_setting({name!r})' for name in names)}, current_user::text"
    with transaction() as c:
        zone = c.exec_driver_sql("SHOW TimeZone").scalar_one()
    assert config.lock_timeout_s == 7
    assert ask(query) == [("7s", "77s", "sentiment", zone, "sentiment_writer")]


def fails(*arguments: str, **named: str) -> SentimentError:
    with pytest.raises(SentimentError) as raised:
        ask(*arguments, **named)
    return raised.value


def test_a_server_that_is_away_and_a_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    right = database.url("writer").set(drivername="postgresql")
    for address, reason in {right.set(port=1): "refused", right.set(password="wrong-1"): "authentication"}.items():
        monkeypatch.setenv("SENTIMENT_DATABASE_URL", address.render_as_string(hide_password=False))
        settings.load.cache_clear()
        error = fails("SELECT 1")
        assert type(error) is InfrastructureError
        assert reason in error.message
        assert f"{address.host}:{address.port}/{address.database}" in error.message
        assert "wrong-1" not in str(error)
        assert error.try_next


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("SELECT nope", ProgramError),
        ("SELECT 1 FROM sentiment.nope", ProgramError),
        ("CREATE TABLE sentiment.mine ()", SetupError),
        ("SELECT 1 / 0", InfrastructureError),
        ("SELECT pg_terminate_backend(pg_backend_pid())", InfrastructureError),
    ],
)
def test_errors_of_statements(query: str, kind: type[SentimentError]) -> None:
    assert type(fails(query)) is kind


def test_a_session_that_takes_no_writes() -> None:
    with pytest.raises(ReadOnlyDatabaseError) as refused, bulk_transaction() as connection:
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
            cursor.execute("CREATE TABLE staging.mine ()")
    assert "default_transaction_read_only" in refused.value.try_next


def test_a_lock_that_is_not_had_names_its_holder(set_settings: Callable[..., Settings]) -> None:
    set_settings(lock_timeout_s=1)
    with transaction("owner") as holder:
        holder.execute(sa.text("LOCK TABLE sentiment.run IN ACCESS EXCLUSIVE MODE"))
        pid = holder.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        error = fails("SELECT * FROM sentiment.run")
    assert type(error) is InfrastructureError
    assert f"process {pid} (sentiment_owner" in error.message


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [
        ("53100", DiskFullError),
        ("53200", OutOfMemoryError),
        ("25006", ReadOnlyDatabaseError),
        (None, InfrastructureError),
    ],
)
def test_what_a_sqlstate_names(sqlstate: str | None, kind: type[SentimentError]) -> None:
    text = "IO: [libpq] COPY failed: ERROR:  no\nDETAIL:  Jean Dupont"
    with pytest.raises(SentimentError) as raised, bulk_transaction():
        raise OperationalError(text, status_code=AdbcStatusCode.IO, sqlstate=sqlstate)
    assert type(raised.value) is kind
    assert re.search(r": no\.?$", raised.value.message)
    assert "Dupont" not in str(raised.value)


def test_nothing_stays_of_a_block_that_raises() -> None:
    with pytest.raises(KeyError), bulk_transaction() as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE staging.mine ()")
        raise KeyError
    assert ask("SELECT count(*) FROM pg_tables WHERE tablename = 'mine'") == [(0,)]
    with bulk_transaction() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE staging.mine ()")
    assert ask("SELECT count(*) FROM pg_tables WHERE tablename = 'mine'") == [(1,)]
    ask("DROP TABLE staging.mine")
