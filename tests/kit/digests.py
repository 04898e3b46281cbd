"""Digests of what a source's nights left in the tables, equal for two databases that hold the same.

Ids of runs, tokens, times and messages are left out, floats count to nine decimals, rows come in order.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

OF_RUNS = (
    ("sentiment", "review"),
    ("sentiment", "review_sentiment"),
    ("sentiment", "review_version"),
    ("sentiment", "night_review"),
    ("sentiment", "film_night"),
    ("sentiment", "item"),
    ("sentiment", "quarantine"),
    ("drift", "profile_metrics"),
    ("drift", "drift_metrics"),
)
"""Schema and name of the tables whose rows name their run."""
SENTENCES, RUNS, CANARY = "sentiment.sentence_sentiment", "sentiment.run", "drift.canary"
IGNORED = frozenset(
    {"run_id", "token", "supersedes", "requeue_of", "requeued_in", "airflow_run_id", "code_version"}
    | {"details", "verdict", "scored_at"}
)
"""Columns, and keys of JSON, that differ between two runs of the same night, or between versions of this project."""
TIMES = frozenset({1114, 1184})
"""Types that are left out, by Postgres' numbers: timestamp, and timestamp with time zone."""
DECIMALS = 9
Row = dict[str, Any]


@dataclass(frozen=True)
class Contents:
    """The rows of one table that a source's nights left."""

    columns: frozenset[str]
    rows: tuple[Row, ...]

    def digest(self, columns: frozenset[str] | None = None) -> str:
        """Return a SHA-256 in hex over the rows, of these columns or of all."""
        chosen = sorted(self.columns if columns is None else columns)
        lines = sorted(json.dumps([_plain(row[name]) for name in chosen]) for row in self.rows)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@dataclass(frozen=True)
class Difference:
    """A table in two databases: rows and digest of each, over the columns that both have."""

    table: str
    rows: tuple[int, int]
    digests: tuple[str, str]
    only_one_has: frozenset[str]
    """Columns that are not compared."""

    @property
    def is_equal(self) -> bool:
        """Whether both hold the same."""
        return self.digests[0] == self.digests[1]

    def row(self) -> tuple[str, ...]:
        """Return the cells of a table's row."""
        shown = (f"{n:,}" for n in self.rows), (digest[:12] for digest in self.digests)
        return self.table, *shown[0], *shown[1], "yes" if self.is_equal else "no", ", ".join(sorted(self.only_one_has))


def of_source(connection: Connection, source: str) -> dict[str, Contents]:
    """Return table -> contents for every table that nights of a source write; of the canary's, that of their models."""
    of_run = sql.SQL("SELECT t.* FROM {} t JOIN sentiment.run r USING (run_id) WHERE r.source = {}")
    named: dict[str, sql.Composable] = {
        f"{schema}.{name}": of_run.format(sql.Identifier(schema, name), sql.Literal(source)) for schema, name in OF_RUNS
    }
    of_review = sql.SQL("SELECT t.* FROM {} t JOIN sentiment.review r USING (review_id) WHERE r.source = {}")
    named[SENTENCES] = of_review.format(sql.Identifier(*SENTENCES.split(".")), sql.Literal(source))
    named[RUNS] = sql.SQL("SELECT * FROM sentiment.run WHERE source = {}").format(sql.Literal(source))
    of_models = "SELECT * FROM drift.canary WHERE model_id IN (SELECT model_id FROM sentiment.run WHERE source = {})"
    named[CANARY] = sql.SQL(of_models).format(sql.Literal(source))
    return {table: _contents(connection, query) for table, query in named.items()}


def digests(connection: Connection, source: str) -> dict[str, str]:
    """Return table -> digest of what nights of a source left."""
    return {table: contents.digest() for table, contents in of_source(connection, source).items()}


def compare(first: dict[str, Contents], second: dict[str, Contents]) -> list[Difference]:
    """Compare each table of both over the columns that both have."""
    return [_compare(table, first[table], second[table]) for table in first if table in second]


def _compare(table: str, first: Contents, second: Contents) -> Difference:
    common = first.columns & second.columns
    counts = len(first.rows), len(second.rows)
    return Difference(
        table, counts, (first.digest(common), second.digest(common)), (first.columns | second.columns) - common
    )


def _contents(connection: Connection, query: sql.Composable) -> Contents:
    with connection, connection.cursor() as cursor:
        cursor.execute(query)
        assert cursor.description is not None
        names = [column.name for column in cursor.description]
        compared = frozenset(
            column.name for column in cursor.description if column.name not in IGNORED and column.type_code not in TIMES
        )
        rows = tuple(_only(compared, zip(names, values, strict=True)) for values in cursor)
    return Contents(compared, rows)


def _only(names: frozenset[str], values: Iterator[tuple[str, Any]]) -> Row:
    return {name: value for name, value in values if name in names}


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: floats rounded, bytes as their SHA-256, keys that are left out gone."""
    match value:
        case float():
            return f"{value + 0.0:.{DECIMALS}f}"
        case Decimal() | date():
            return str(value)
        case memoryview() | bytes():
            return hashlib.sha256(value).hexdigest()
        case list():
            return [_plain(element) for element in value]
        case dict():
            return {name: _plain(value[name]) for name in sorted(value) if name not in IGNORED}
        case _:
            return value
