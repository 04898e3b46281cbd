"""What the database keeps longer than it must: found first, then told or removed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from sentiment import ledger
from sentiment.database import transaction
from sentiment.settings import Settings

BATCH_ROWS = 10_000
"""Rows removed in one transaction, so that no lock is held for long."""
MONTHS_AHEAD = 2


@dataclass(frozen=True)
class Leftover:
    """Something past its time: what kind, where, how much of it, and how it is removed."""

    kind: str
    where: str
    amount: int
    unit: str
    n_bytes: int
    remove: Callable[[], None]


def find(config: Settings) -> list[Leftover]:
    """Everything in the database past its time; never what a live attempt works on."""
    days = {
        "superseded": config.keep_superseded_days,
        "quarantine": config.keep_quarantine_days,
        "retired": config.keep_retired_days,
    }
    rows = [found for rule in RULES if (found := _rows(rule, days[rule.keep])) is not None]
    return [*_staging(), *rows, *_months(config.keep_night_months)]


def _staging() -> list[Leftover]:
    query = (
        "SELECT c.relname, pg_total_relation_size(c.oid) AS n_bytes FROM pg_class c "
        "WHERE c.relnamespace = 'staging'::regnamespace AND c.relkind = 'r' ORDER BY 1"
    )
    with transaction() as c:
        tables = [(row.relname, row.n_bytes) for row in c.execute(sa.text(query))]
    live = ledger.live_tokens()
    return [
        Leftover("staging table of a dead attempt", f"staging.{name}", 1, "tables", size, lambda name=name: _drop(name))  # type: ignore[misc]
        for name, size in tables
        if (found := re.fullmatch(r"[a-z]+_\d{8}_[0-9a-f]{8}_(\d+)", name)) and int(found[1]) not in live
    ]


def _drop(name: str) -> None:
    with transaction() as c:
        c.exec_driver_sql(f"DROP TABLE IF EXISTS staging.{name}")


@dataclass(frozen=True)
class Rule:
    """Rows past their time: `which` picks them, `keep` names the setting that is `:days`, `bytes_of` their payload."""

    kind: str
    table: str
    which: str
    keep: str
    bytes_of: str = "0"
    empties: str = ""


_DEAD = """run_id IN (SELECT o.run_id FROM sentiment.run o JOIN sentiment.run n ON n.supersedes = o.run_id
  WHERE o.status = 'superseded' AND n.published_at < now() - make_interval(days => :days))"""
_RETIRED = """model_id IN (SELECT model_id FROM sentiment.model
  WHERE NOT is_current AND retired_at < now() - make_interval(days => :days))"""

RULES = (
    Rule("refused records of a superseded run", "sentiment.quarantine", _DEAD, "superseded", "octet_length(raw)"),
    Rule(
        "versions no longer shown",
        "sentiment.review_version",
        "kept_at < now() - make_interval(days => :days)",
        "superseded",
        "octet_length(text)",
    ),
    Rule(
        "payloads of refused records",
        "sentiment.quarantine",
        "raw <> ''::bytea AND run_id IN (SELECT run_id FROM sentiment.run "
        "WHERE finished_at < now() - make_interval(days => :days))",
        "quarantine",
        "octet_length(raw)",
        empties="raw = ''",
    ),
    Rule("scores of a retired model", "sentiment.review_sentiment", _RETIRED, "retired"),
    Rule("film sums of a retired model", "sentiment.film_night", _RETIRED, "retired"),
    Rule("profiles of a retired model", "drift.profile_metrics", _RETIRED, "retired"),
)


def _rows(rule: Rule, days: int) -> Leftover | None:
    query = f"SELECT count(*) AS n, coalesce(sum({rule.bytes_of}), 0) AS n_bytes FROM {rule.table} WHERE {rule.which}"
    with transaction() as c:
        found = c.execute(sa.text(query), {"days": days}).one()
    if not found.n:
        return None
    return Leftover(rule.kind, rule.table, found.n, "rows", int(found.n_bytes), lambda: _remove_rows(rule, days))


def _remove_rows(rule: Rule, days: int) -> None:
    verb = f"UPDATE {rule.table} SET {rule.empties}" if rule.empties else f"DELETE FROM {rule.table}"
    some = f"SELECT ctid FROM {rule.table} WHERE {rule.which} LIMIT {BATCH_ROWS}"
    while True:
        with transaction() as c:
            if c.execute(sa.text(f"{verb} WHERE ctid = ANY(ARRAY({some}))"), {"days": days}).rowcount == 0:
                return


def _months(keep: int) -> list[Leftover]:
    query = """
SELECT to_date(right(c.relname, 6), 'YYYYMM') AS month, pg_total_relation_size(c.oid) AS n_bytes, c.reltuples
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'sentiment.night_review'::regclass
  AND to_date(right(c.relname, 6), 'YYYYMM') < date_trunc('month', current_date) - make_interval(months => :keep)
ORDER BY 1"""
    with transaction() as c:
        rows = c.execute(sa.text(query), {"keep": keep}).all()
    return [
        Leftover(
            "month of night_review",
            f"{row.month:%Y-%m}",
            max(int(row.reltuples), 0),
            "rows",
            row.n_bytes,
            lambda month=row.month: _drop_month(month),  # type: ignore[misc]
        )
        for row in rows
    ]


def _drop_month(month: date) -> None:
    with transaction() as c:
        c.execute(sa.text("SELECT sentiment.drop_month(:month)"), {"month": month})


def months_ahead() -> None:
    """Make the partitions of this month and the next two, so that no night has to."""
    query = (
        "SELECT sentiment.ensure_month((current_date + make_interval(months => n))::date) FROM generate_series(0, :n) n"
    )
    with transaction() as c:
        c.execute(sa.text(query), {"n": MONTHS_AHEAD})
