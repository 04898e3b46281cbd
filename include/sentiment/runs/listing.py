"""List runs, and the attempts of one run's steps, for people who look at them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sentiment.database import transaction
from sentiment.sql import statement


@dataclass(frozen=True)
class ListedRun:
    """One row of `sentiment.v_runs`; a count is 0 until its step has counted."""

    run_id: str
    night: date
    source: str
    model_id: str
    status: str
    rows_read: int
    rows_accepted: int
    rows_quarantined: int
    rows_duplicate: int
    rows_scored: int
    rows_reused: int
    rows_published: int
    started_at: datetime


@dataclass(frozen=True)
class ListedAttempt:
    """One attempt of a step, as `sentiment.run_step` stores it."""

    step: str
    token: int
    """The fencing token: a later attempt has a greater one."""
    state: str
    duration: timedelta | None
    """Null while the attempt runs."""
    rows_done: int | None
    rows_total: int | None
    """Null where the step can't foresee how many rows it will process."""
    rows_per_s: float | None
    remaining_s: float | None
    """Estimated seconds until the attempt ends; null unless it runs and reports its speed."""
    error: str | None
    try_next: str | None


def newest_runs(limit: int) -> list[ListedRun]:
    """Return at most `limit` runs, the newest first."""
    with transaction() as c:
        return [ListedRun(*row) for row in c.execute(statement("runs/listing/newest_runs"), {"limit": limit})]


def attempts_of_run(run_id: str) -> list[ListedAttempt]:
    """Return every attempt of a run's steps, the oldest first; an empty list where there is no such run."""
    with transaction() as c:
        rows = c.execute(statement("runs/listing/attempts_of_run"), {"run_id": run_id})
        return [ListedAttempt(*row) for row in rows]
