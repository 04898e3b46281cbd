"""Migrations: from empty and from each earlier revision with data in it, without a long lock; and their indexes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from psycopg2.sql import SQL
from sentiment import database
from sentiment.sql import execute
from sentiment.store import dictionary, migrate

from tests.kit import databases
from tests.kit.databases import Database

EVERY_ROW, *REVIEWS = (
    (Path(__file__).parent / "earlier" / f"{name}.sql").read_text("utf-8") for name in ("every", "0001", "0002")
)
FIRST_ROWS, LATER_ROWS = (f"{EVERY_ROW}\n{reviews}" for reviews in REVIEWS)
EARLIER = {"0001": FIRST_ROWS} | dict.fromkeys(
    ("0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011", "0012", "0013", "0014", "0015"),
    LATER_ROWS,
)
"""Each revision before the newest -> rows as it wrote them."""


@contextmanager
def new_database(server: Database) -> Iterator[None]:
    """Another reviews database on the session's server, empty, and the settings pointing at it."""
    with databases.empty(server, "migrated") as created:
        try:
            yield
        finally:
            databases.drop(created)


def one(query: str, role: str = "owner") -> Any:
    with database.transaction(role) as c:
        return c.execute(sa.text(query)).scalar_one()


def revisions() -> list[str]:
    script = ScriptDirectory.from_config(migrate._config())
    return [r.revision for r in reversed(list(script.walk_revisions()))]


def test_every_earlier_revision_has_data_to_be_tested_with() -> None:
    assert list(EARLIER) == revisions()[:-1]


@pytest.mark.heavy
def test_from_empty_and_from_every_revision_the_schema_is_the_same(server: Database) -> None:
    pages = []
    for start in (None, *EARLIER):
        with new_database(server):
            if start:
                migrate.upgrade(start)
            assert migrate.upgrade() == migrate.head()
            with database.transaction("owner") as c:
                pages.append(dictionary.render(dictionary.read(c)))
    assert len(set(pages)) == 1


FILES = """
SELECT oid::regclass::text, relfilenode FROM pg_class
WHERE relkind = 'r' AND relnamespace::regnamespace::text IN ('sentiment', 'drift')"""
READ = "SELECT relid::regclass::text, seq_tup_read FROM pg_stat_xact_user_tables WHERE seq_tup_read > 0"
MANY_ROWS = 100


@contextmanager
def watching_locks() -> Iterator[list[str]]:
    """Statements that read or rewrite a whole table: under a lock, that lasts as long as the table is long.

    What is built CONCURRENTLY reads too, but lets everyone go on.
    """
    long_locks: list[str] = []
    seen: dict[tuple[object, str], int] = {}  # rows read by now, as each connection counts them

    def after(c: sa.Connection, cursor: Any, statement: str, *_: object) -> None:
        probe = cursor.connection.cursor()
        probe.execute(READ)
        now = {(cursor.connection, name): n for name, n in probe}
        more = [name for (_, name), n in now.items() if n - seen.get((cursor.connection, name), 0) > MANY_ROWS]
        for key in [key for key in seen if key[0] is cursor.connection]:
            del seen[key]
        seen.update(now)
        if "CONCURRENTLY" not in statement:
            long_locks.extend(f"{name} is read whole by {statement}" for name in more)

    database.engine("owner").dispose()
    with database.transaction("owner") as c:
        before = dict(tuple(row) for row in c.exec_driver_sql(FILES))
    sa.event.listen(sa.Engine, "after_cursor_execute", after)
    try:
        yield long_locks
    finally:
        sa.event.remove(sa.Engine, "after_cursor_execute", after)
    with database.transaction("owner") as c:
        now = dict(tuple(row) for row in c.exec_driver_sql(FILES))
    long_locks.extend(f"{name} is rewritten" for name in before.keys() & now.keys() if before[name] != now[name])


@pytest.mark.parametrize("start", EARLIER)
def test_data_survive_and_no_lock_is_long(server: Database, start: str) -> None:
    with new_database(server):
        migrate.upgrade(start)
        with database.transaction("owner") as c:
            c.exec_driver_sql(EARLIER[start])
        one("SELECT count(*) FROM sentiment.review")
        with database.transaction("owner") as c:
            c.exec_driver_sql("ANALYZE")
        with watching_locks() as long:
            migrate.upgrade()
        assert long == []
        query = "SELECT count(*) FROM sentiment.v_review_sentiment WHERE last_night = '2026-03-02' AND label = 'pos'"
        assert one(query, "reader") == 1000
        assert one("SELECT n_reviews FROM sentiment.v_daily_sentiment WHERE is_last_good", "reader") == 1000
        assert one("SELECT rows_published FROM sentiment.v_runs WHERE is_last_good", "reader") == 2
        assert one("SELECT bool_and(indisvalid) FROM pg_index") is True
        assert "COALESCE(supersedes" in one("SELECT pg_get_indexdef('sentiment.run_identity'::regclass)")


def test_widening_the_identity_is_done_again_where_it_was_killed(server: Database) -> None:
    with new_database(server):
        migrate.upgrade("0002")
        with database.transaction("owner") as c:
            c.exec_driver_sql("CREATE INDEX run_identity_wider ON sentiment.run (night)")
            c.exec_driver_sql("DROP INDEX sentiment.run_identity")
        assert migrate.upgrade() == migrate.head()
        assert "UNIQUE" in one("SELECT pg_get_indexdef('sentiment.run_identity'::regclass)")


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE sentiment.review ALTER COLUMN polarity TYPE integer",
        "CREATE INDEX slow ON sentiment.review (author)",
        "ALTER TABLE sentiment.review ALTER COLUMN item_id SET NOT NULL",
        "UPDATE sentiment.review SET author = 'x'",
    ],
)
def test_a_long_lock_is_seen(server: Database, statement: str) -> None:
    with new_database(server):
        migrate.upgrade("0001")
        with database.transaction("owner") as c:
            c.exec_driver_sql(FIRST_ROWS)
        with database.transaction("owner") as c:
            c.exec_driver_sql("ANALYZE")
        with watching_locks() as long:
            with database.transaction("owner") as c:
                c.exec_driver_sql("DROP VIEW sentiment.v_review_sentiment")
                c.exec_driver_sql(statement)
        assert any("sentiment.review" in locked for locked in long)


MANY_REVIEWS = """
INSERT INTO sentiment.model (model_id, name, language, engine, fingerprint, labels, source_uri, spark_nlp_version,
  is_current) VALUES ('m', 'm', 'fr', 'onnx', 'f', '{neg,pos}', 'u', '6', true);
SELECT sentiment.ensure_month('2026-03-01');
INSERT INTO sentiment.review (review_id, source, item_id, text, text_hash, content_hash, first_night, run_id)
  SELECT md5(n::text), 's', 'f' || n % 2000, 'texte ' || n, md5(n::text), 'c', date '2026-03-01' + n / 6667, 'r'
  FROM generate_series(1, 200000) n;
INSERT INTO sentiment.night_review (night, source, file_no, record_no, review_id, content_hash, novelty, run_id)
  SELECT date '2026-03-01' + n / 6667, 's', 0, n, md5(n::text), 'c', 'new', 'r' FROM generate_series(1, 200000) n;
INSERT INTO sentiment.review_sentiment (review_id, model_id, label, score, p_positive, probabilities, n_wordpieces,
  n_chunks, text_hash, run_id) SELECT md5(n::text), 'm', 'pos', 0.9, n % 1000 / 1000.0, '{}', 3, 1, md5(n::text), 'r'
  FROM generate_series(1, 200000) n;
INSERT INTO sentiment.film_night (night, source, item_id, model_id, n, run_id)
  SELECT date '2026-01-01' + d, 's', 'f' || f, 'm', 1, 'r' FROM generate_series(1, 100) d, generate_series(1, 2000) f;
INSERT INTO sentiment.item SELECT 's', 'f' || f, 'film', 'Le film ' || md5(f::text), 'r'
  FROM generate_series(1, 20000) f;
"""
WAITED_FOR = {
    "one film's reviews": "SELECT * FROM sentiment.v_review_sentiment WHERE item_id = 'f77'",
    "one film": "SELECT * FROM sentiment.v_film_sentiment WHERE item_id = 'f77'",
    "one film's nights": "SELECT * FROM sentiment.film_night WHERE item_id = 'f77' ORDER BY night",
    "one day": "SELECT * FROM sentiment.v_daily_sentiment WHERE night = '2026-03-05'",
    "reviews new on one day": "SELECT * FROM sentiment.v_review_sentiment WHERE first_night = '2026-03-05' LIMIT 100",
    "one review": "SELECT * FROM sentiment.v_review_sentiment WHERE review_id = 'c4ca4238a0b923820dcc509a6f75849b'",
    "close calls, as the README asks": (
        "SELECT item_title, label FROM sentiment.v_review_sentiment WHERE p_positive BETWEEN 0.4 AND 0.6 "
        "ORDER BY review_id LIMIT 10"
    ),
    "a film by its title": "SELECT * FROM sentiment.item WHERE sentiment.plain(item_title) LIKE '%c4ca4238%'",
}


@pytest.mark.heavy
def test_nobody_waits_for_a_sequential_scan(server: Database) -> None:
    with new_database(server):
        migrate.upgrade()
        with database.transaction("owner") as c:
            c.execute(sa.text(MANY_REVIEWS))
        with sa.create_engine(database.url("owner"), isolation_level="AUTOCOMMIT").connect() as c:
            c.exec_driver_sql("VACUUM ANALYZE")
        slow = {what: scans for what, query in WAITED_FOR.items() if (scans := _scans(query))}
        assert slow == {}
        assert _scans("SELECT * FROM sentiment.v_review_sentiment WHERE text = 'texte 5'")


def _scans(query: str) -> list[str]:
    with database.transaction("reader") as c:
        (plan,) = execute(c, SQL("EXPLAIN (FORMAT JSON) {}").format(SQL(query))).scalar_one()
    scanned: list[str] = []
    _walk(plan["Plan"], lambda node: scanned.append(node["Relation Name"]) if node["Node Type"] == "Seq Scan" else None)
    return [name for name in scanned if name not in {"model", "run", "source_night", "pseudonym_salt"}]


def _walk(node: dict[str, Any], look: Callable[[dict[str, Any]], None]) -> None:
    look(node)
    for below in node.get("Plans", []):
        _walk(below, look)
