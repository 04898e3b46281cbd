"""List what the database keeps longer than it must, and remove it.

Between listing and removing, a model may be taken back into use or a new attempt begin. So each removal locks what
it depends on, then checks again, in one transaction.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial

import sqlalchemy as sa

from sentiment.database import transaction
from sentiment.runs import attempts
from sentiment.settings import Settings
from sentiment.sql import statement
from sentiment.store import publishing, staging

# Blocks of a table that one transaction goes through, some 10,000 rows, so that no lock is held for long.
BATCH_BLOCKS = 128
MONTHS_AHEAD = 2


@dataclass(frozen=True)
class Leftover:
    """Something past its time: `amount` of `unit` at `where`, `n_bytes` in all, 0 where they aren't counted.

    `remove` removes it and returns True, or False where it is needed again by now.
    """

    kind: str
    where: str
    amount: int
    unit: str
    n_bytes: int
    remove: Callable[[], bool]


def find(config: Settings) -> list[Leftover]:
    """Return everything in the database past its time; never what a live attempt works on."""
    days = {
        "superseded": config.keep_superseded_days,
        "quarantine": config.keep_quarantine_days,
        "retired": config.keep_retired_days,
    }
    rows = [leftover for rule in RULES if (leftover := _rows(rule, days[rule.keep])) is not None]
    return [*_staging(), *rows, *_months(config.keep_night_months)]


def _staging() -> list[Leftover]:
    with transaction() as c:
        tables = [(row.relname, row.n_bytes) for row in c.execute(statement("store/retention/list_staging_tables"))]
    # After the tables are listed: asked before, an attempt that begins in between would have tables and no live token.
    live = attempts.live_tokens()
    return [
        Leftover("staging table of a dead attempt", f"staging.{name}", 1, "tables", size, partial(_drop, name))
        for name, size in tables
        if (match := re.fullmatch(r"[a-z]+_\d{8}_[0-9a-f]{8}_(\d+)", name)) and int(match[1]) not in live
    ]


def _drop(name: str) -> bool:
    with transaction() as c:
        staging.drop_table(c, name)
    return True


@dataclass(frozen=True)
class Rule:
    """Rows of `table` past their time, by the statements count, lock and remove below `sql/retention/<name>`.

    `keep` names the setting that gives their parameter `:days`. `owner` is the column of the run or model by which a
    row is judged, and which is locked; None where publishing decides, which is then kept waiting.
    """

    kind: str
    table: str
    name: str
    keep: str
    owner: str | None = None

    def statement(self, verb: str) -> sa.TextClause:
        """Return the rule's statement `verb`: count, lock or remove."""
        return statement(f"store/retention/{self.name}/{verb}")


RULES = (
    Rule(
        "refused records of a superseded run", "sentiment.quarantine", "superseded_quarantine", "superseded", "run_id"
    ),
    Rule("duplicates of a superseded run", "sentiment.duplicate", "superseded_duplicates", "superseded", "run_id"),
    Rule("unread values of a superseded run", "sentiment.unread_value", "superseded_unread", "superseded", "run_id"),
    Rule("versions no longer shown", "sentiment.review_version", "kept_versions", "superseded"),
    Rule("nights that failed without a run", "sentiment.unopened_run", "unopened_runs", "superseded", "airflow_run_id"),
    # The payload first: a stopped run's rows go next.
    Rule("payloads of refused records", "sentiment.quarantine", "quarantine_payloads", "quarantine", "run_id"),
    Rule("payloads of unread values", "sentiment.unread_value", "unread_payloads", "quarantine", "run_id"),
    Rule("refused records of a stopped run", "sentiment.quarantine", "stopped_quarantine", "quarantine", "run_id"),
    Rule("unread values of a stopped run", "sentiment.unread_value", "stopped_unread", "quarantine", "run_id"),
    # Film sums go first: `sentiment model retire --undo` looks in film_night for what a model still has.
    Rule("film sums of a retired model", "sentiment.film_night", "retired_film_sums", "retired", "model_id"),
    Rule("scores of a retired model", "sentiment.review_sentiment", "retired_scores", "retired", "model_id"),
    Rule("sentences of a retired model", "sentiment.sentence_sentiment", "retired_sentences", "retired", "model_id"),
    Rule("profiles of a retired model", "drift.profile_metrics", "retired_profiles", "retired", "model_id"),
)


def _params(days: int) -> dict[str, object]:
    return {"days": days, "live_minutes": attempts.LIVE_MINUTES}


def _rows(rule: Rule, days: int) -> Leftover | None:
    with transaction() as c:
        total = c.execute(rule.statement("count"), _params(days)).one()
    if not total.n:
        return None
    return Leftover(rule.kind, rule.table, total.n, "rows", int(total.n_bytes), partial(_remove_rows, rule, days))


def _remove_rows(rule: Rule, days: int) -> bool:
    """Go once through the table, whose blocks are read in order, each range of them in its own transaction."""
    query = "SELECT pg_relation_size(cast(:table AS regclass)) / current_setting('block_size')::int"
    with transaction() as c:
        blocks: int = c.execute(sa.text(query), {"table": rule.table}).scalar_one()
    return sum(_remove_batch(rule, days, first) for first in range(0, blocks, BATCH_BLOCKS)) > 0


def _remove_batch(rule: Rule, days: int, first: int) -> int:
    params = {**_params(days), "first_block": f"({first},0)", "end_block": f"({first + BATCH_BLOCKS},0)"}
    with transaction() as c:
        if rule.owner is None:
            publishing.lock_publishers(c)
            return c.execute(rule.statement("remove"), params).rowcount
        return _remove_locked(c, rule, params)


def _remove_locked(c: sa.Connection, rule: Rule, params: Mapping[str, object]) -> int:
    locked = list(c.execute(rule.statement("lock"), params).scalars())
    return c.execute(rule.statement("remove"), {**params, "locked": locked}).rowcount if locked else 0


def _months(keep: int) -> list[Leftover]:
    with transaction() as c:
        months = c.execute(statement("store/retention/list_past_months"), {"keep": keep}).all()
    return [
        Leftover(
            "month of night_review",
            f"{row.month:%Y-%m}",
            max(int(row.reltuples), 0),  # -1 where the partition was never analyzed
            "rows",
            row.n_bytes,
            partial(_drop_month, row.month),
        )
        for row in months
    ]


def _drop_month(month: date) -> bool:
    with transaction() as c:
        c.execute(sa.text("SELECT sentiment.drop_month(:month)"), {"month": month})
    return True


def months_ahead() -> None:
    """Make the partitions of this month and the next two, so that no night has to."""
    with transaction() as c:
        c.execute(statement("store/retention/make_months"), {"n_ahead": MONTHS_AHEAD})
