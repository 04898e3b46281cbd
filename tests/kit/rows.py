"""What tests do by hand in a reviews database, as its owner: read, change, copy and remove rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from psycopg2 import sql
from sentiment.database import transaction
from sentiment.sql import execute
from sentiment.store.staging import Staging

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
"""Before every retention time."""
OF_RUNS = {
    "sentiment": ("review_sentiment", "night_review", "film_night", "review", "review_version", "quarantine",
                  "duplicate", "unread_value", "source_rule", "item", "run_step"),
    "drift": ("profile_metrics", "canary"),
}  # fmt: skip
"""Schema -> tables whose rows name their run."""


def run_sql(query: str, **values: object) -> None:
    """Run a statement."""
    with transaction("owner") as c:
        c.execute(sa.text(query), values)


def age(run_id: str, silent: timedelta) -> None:
    """Let a run have begun long ago, and its attempts have been silent for so long."""
    run_sql("UPDATE sentiment.run SET started_at = now() - interval '1 day' WHERE run_id = :r", r=run_id)
    run_sql("UPDATE sentiment.run_step SET heartbeat_at = now() - :s WHERE run_id = :r", r=run_id, s=silent)


def rows(query: str, **values: object) -> list[Any]:
    """Return a statement's rows."""
    with transaction("owner") as c:
        return list(c.execute(sa.text(query), values))


def scalar(query: str, **values: object) -> Any:
    """Return a statement's only value."""
    with transaction("owner") as c:
        return c.execute(sa.text(query), values).scalar_one()


def novelty(source: str, night: date) -> dict[str, int]:
    """Return how many reviews of a night have each novelty."""
    query = "SELECT novelty, count(*) FROM sentiment.night_review WHERE source = :s AND night = :n GROUP BY novelty"
    return {row[0]: row[1] for row in rows(query, s=source, n=night)}


def newest_run(source: str) -> str:
    """Return the id of a source's run that was started last."""
    query = "SELECT run_id FROM sentiment.run WHERE source = :s ORDER BY started_at DESC LIMIT 1"
    return str(rows(query, s=source)[0][0])


def copy_rows(table: str, key: str, value: object, **other: object) -> None:
    """Copy the rows of `sentiment.<table>` whose column `key` is `value`, with other values in some columns."""
    copied = sql.SQL(
        "INSERT INTO {table} SELECT (jsonb_populate_record(t, {other})).* FROM {table} t WHERE {key} = {value}"
    ).format(
        table=sql.Identifier("sentiment", table),
        other=sql.Literal(json.dumps(other)),
        key=sql.Identifier(key),
        value=sql.Literal(value),
    )
    with transaction("owner") as c:
        execute(c, copied)


@contextmanager
def staged_views(connection: sa.Connection, staging: Staging) -> Iterator[None]:
    """Let statements write an attempt's staging tables as `staged_review` and the like, as publishing reads them."""
    staging.open_views(connection)
    yield
    staging.close_views(connection)


def rows_of_source(table: str, source: str) -> list[Any]:
    """Return the rows of `sentiment.<table>` that runs of a source wrote, in the order of its first three columns."""
    query = sql.SQL(
        "SELECT * FROM {} WHERE run_id IN (SELECT run_id FROM sentiment.run WHERE source = {}) ORDER BY 1, 2, 3"
    )
    with transaction("owner") as c:
        return list(execute(c, query.format(sql.Identifier("sentiment", table), sql.Literal(source))))


def fingerprint(schema: str, table: str) -> tuple[int, str | None]:
    """Return how many rows a table has, and a digest of them; None of an empty one."""
    query = sql.SQL("SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {} t")
    with transaction("owner") as c:
        row: Any = execute(c, query.format(sql.Identifier(schema, table))).one()
    return row[0], row[1]


def remove_source(source: str) -> None:
    """Remove every row of a source's runs and dumps, and the sentences of its reviews."""
    review = _table("sentiment", "review", "review_id", "source")
    run, dump = _table("sentiment", "run", "run_id", "source"), _table("sentiment", "dump", "dump_id", "source")
    reviews = sa.select(review.c.review_id).where(review.c.source == source)
    runs = sa.select(run.c.run_id).where(run.c.source == source)
    dumps = sa.select(dump.c.dump_id).where(dump.c.source == source)
    sentence, file = _table("sentiment", "sentence_sentiment", "review_id"), _table("sentiment", "dump_file", "dump_id")
    with transaction("owner") as c:
        c.execute(sa.delete(sentence).where(sentence.c.review_id.in_(reviews)))
        for of_run in (_table(schema, name, "run_id") for schema, names in OF_RUNS.items() for name in names):
            c.execute(sa.delete(of_run).where(of_run.c.run_id.in_(runs)))
        c.execute(sa.delete(run).where(run.c.source == source))
        c.execute(sa.delete(file).where(file.c.dump_id.in_(dumps)))
        c.execute(sa.delete(dump).where(dump.c.source == source))


def _table(schema: str, name: str, *columns: str) -> sa.TableClause:
    return sa.table(name, *(sa.column(column) for column in columns), schema=schema)
