"""What the database keeps longer than it must: found first, then told or removed.

Between the two a model may be taken back or a new attempt begin. So a removal first locks what it goes by, then
looks again, in one transaction.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from sentiment.database import transaction
from sentiment.runs import attempts
from sentiment.settings import Settings
from sentiment.store import publishing

BATCH_BLOCKS = 128
"""Blocks of a table that one transaction goes through, some 10,000 rows, so that no lock is held for long."""
MONTHS_AHEAD = 2


@dataclass(frozen=True)
class Leftover:
    """Something past its time: what kind, where, how much of it, and how it is removed, if it still is."""

    kind: str
    where: str
    amount: int
    unit: str
    n_bytes: int
    remove: Callable[[], bool]


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
    live = attempts.live_tokens()
    return [
        Leftover("staging table of a dead attempt", f"staging.{name}", 1, "tables", size, lambda name=name: _drop(name))  # type: ignore[misc]
        for name, size in tables
        if (found := re.fullmatch(r"[a-z]+_\d{8}_[0-9a-f]{8}_(\d+)", name)) and int(found[1]) not in live
    ]


def _drop(name: str) -> bool:
    with transaction() as c:
        c.exec_driver_sql(f"DROP TABLE IF EXISTS staging.{name}")
    return True


@dataclass(frozen=True)
class Rule:
    """Rows past their time: `which` picks them, `keep` names the setting that is `:days`, `bytes_of` their payload.

    `owner` is the column whose run or model `which` goes by; without one it is what publishing goes by.
    """

    kind: str
    table: str
    which: str
    keep: str
    owner: str = ""
    bytes_of: str = "0"
    empties: str = ""


LOCKS = {
    "": f"SELECT pg_advisory_xact_lock({publishing.LOCK_KEY})",
    "run_id": "SELECT run_id FROM sentiment.run WHERE run_id = ANY(ARRAY({theirs})) ORDER BY 1 FOR UPDATE",
    "model_id": "SELECT model_id FROM sentiment.model WHERE model_id = ANY(ARRAY({theirs})) ORDER BY 1 FOR SHARE",
}
"""Owner -> what holds it as it is: no step of a locked run starts, no locked model is taken back."""

# ANY(ARRAY(...)) rather than IN: asked once, whatever the planner thinks of joining.
_LIVE_RUNS = f"SELECT run_id FROM sentiment.run_step WHERE {attempts.LIVE}"
_AGO = "now() - make_interval(days => :days)"
_DEAD = f"""run_id = ANY(ARRAY(SELECT o.run_id FROM sentiment.run o WHERE o.status = 'superseded'
  AND o.run_id NOT IN ({_LIVE_RUNS}) AND (SELECT max(n.published_at) FROM sentiment.run n
    WHERE n.night = o.night AND n.source = o.source AND n.status = 'published') < {_AGO}))"""
RETIRED = f"""NOT is_current AND retired_at < {_AGO}
  AND model_id NOT IN (SELECT model_id FROM sentiment.run WHERE run_id IN ({_LIVE_RUNS}))"""
_RETIRED = f"model_id = ANY(ARRAY(SELECT model_id FROM sentiment.model WHERE {RETIRED}))"

RULES = (
    Rule(
        "refused records of a superseded run",
        "sentiment.quarantine",
        _DEAD,
        "superseded",
        "run_id",
        "octet_length(raw)",
    ),
    Rule(
        "versions no longer shown",
        "sentiment.review_version",
        f"kept_at < {_AGO}",
        "superseded",
        bytes_of="octet_length(text)",
    ),
    Rule(
        "payloads of refused records",
        "sentiment.quarantine",
        "raw <> ''::bytea AND run_id = ANY(ARRAY(SELECT run_id FROM sentiment.run "
        f"WHERE finished_at < {_AGO} AND run_id NOT IN ({_LIVE_RUNS})))",
        "quarantine",
        "run_id",
        "octet_length(raw)",
        empties="raw = ''",
    ),
    Rule("film sums of a retired model", "sentiment.film_night", _RETIRED, "retired", "model_id"),  # retire looks here
    Rule("scores of a retired model", "sentiment.review_sentiment", _RETIRED, "retired", "model_id"),
    Rule("sentences of a retired model", "sentiment.sentence_sentiment", _RETIRED, "retired", "model_id"),
    Rule("profiles of a retired model", "drift.profile_metrics", _RETIRED, "retired", "model_id"),
)


def _rows(rule: Rule, days: int) -> Leftover | None:
    query = f"SELECT count(*) AS n, coalesce(sum({rule.bytes_of}), 0) AS n_bytes FROM {rule.table} WHERE {rule.which}"
    with transaction() as c:
        found = c.execute(sa.text(query), {"days": days}).one()
    if not found.n:
        return None
    return Leftover(rule.kind, rule.table, found.n, "rows", int(found.n_bytes), lambda: _remove_rows(rule, days))


def _remove_rows(rule: Rule, days: int) -> bool:
    """Once through the table, whose blocks are read in order, each range of them in its own transaction."""
    query = f"SELECT pg_relation_size('{rule.table}') / current_setting('block_size')::int"
    with transaction() as c:
        blocks: int = c.exec_driver_sql(query).scalar_one()
    return sum(_remove_batch(rule, days, first) for first in range(0, blocks, BATCH_BLOCKS)) > 0


def _remove_batch(rule: Rule, days: int, first: int) -> int:
    verb = f"UPDATE {rule.table} SET {rule.empties}" if rule.empties else f"DELETE FROM {rule.table}"
    these = f"ctid >= '({first},0)'::tid AND ctid < '({first + BATCH_BLOCKS},0)'::tid AND {rule.which}"
    theirs = f"SELECT {rule.owner} FROM {rule.table} WHERE {these}"
    with transaction() as c:
        locked = list(c.execute(sa.text(LOCKS[rule.owner].format(theirs=theirs)), {"days": days}).scalars())
        if rule.owner:
            these += f" AND {rule.owner} = ANY(:locked)"
        return c.execute(sa.text(f"{verb} WHERE {these}"), {"days": days, "locked": locked}).rowcount if locked else 0


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


def _drop_month(month: date) -> bool:
    with transaction() as c:
        c.execute(sa.text("SELECT sentiment.drop_month(:month)"), {"month": month})
    return True


def months_ahead() -> None:
    """Make the partitions of this month and the next two, so that no night has to."""
    query = (
        "SELECT sentiment.ensure_month((current_date + make_interval(months => n))::date) FROM generate_series(0, :n) n"
    )
    with transaction() as c:
        c.execute(sa.text(query), {"n": MONTHS_AHEAD})
