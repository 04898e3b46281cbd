"""List runs, nights that failed without one, and the attempts of one run's steps, for people who look at them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sentiment.database import transaction
from sentiment.sql import statement


@dataclass(frozen=True)
class ListedRun:
    """One row of `sentiment.v_runs`, or of `sentiment.v_unopened_runs`, whose nights failed before there was a run.

    A run's counts are 0 until their steps have counted. Where there is no run its id, model and counts are null, and
    night, source and dump where they are not known.
    """

    run_id: str | None
    night: date | None
    source: str | None
    model_id: str | None
    status: str
    rows_read: int | None
    rows_accepted: int | None
    rows_quarantined: int | None
    rows_duplicate: int | None
    rows_scored: int | None
    rows_reused: int | None
    rows_published: int | None
    started_at: datetime
    """Without a run, when the night failed."""
    airflow_run_id: str | None
    """This and all below: null of a run, whose attempts have them."""
    dump_uri: str | None
    error: str | None
    """Class and message."""
    try_next: str | None


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
    """Return at most `limit` runs and nights that failed without a run, the newest first."""
    with transaction() as c:
        return [ListedRun(*row) for row in c.execute(statement("runs/listing/newest_runs"), {"limit": limit})]


def status_of_run(run_id: str) -> str:
    """Return the status of a run that is recorded, as `sentiment.v_runs` defines it."""
    with transaction() as c:
        return str(c.execute(statement("runs/listing/status_of_run"), {"run_id": run_id}).scalar_one())


def attempts_of_run(run_id: str) -> list[ListedAttempt]:
    """Return every attempt of a run's steps, the oldest first; an empty list where there is no such run."""
    with transaction() as c:
        rows = c.execute(statement("runs/listing/attempts_of_run"), {"run_id": run_id})
        return [ListedAttempt(*row) for row in rows]
