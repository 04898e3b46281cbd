"""Attempts of steps: fencing tokens, heartbeats, and how each attempt ended.

An attempt draws its fencing token from one sequence. Every file and table it writes carries the token, and only the
newest attempt of a step may finish it.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from sentiment.database import transaction
from sentiment.errors import InfrastructureError, ParameterError, SentimentError, StaleAttemptError

log = logging.getLogger(__name__)


HEARTBEAT_S = 10


LIVE_MINUTES = 10
"""A running step that has not beaten for longer is taken for dead."""


LIVE = f"state = 'running' AND heartbeat_at > now() - interval '{LIVE_MINUTES} minutes'"
"""SQL: which rows of `sentiment.run_step` work now."""


@dataclass
class Attempt:
    """A running start of a step. `counts` go to the run's columns, `detail` to the step's own row."""

    run_id: str
    name: str
    token: int
    counts: dict[str, int] = field(default_factory=dict)
    detail: dict[str, Any] = field(default_factory=dict)
    rows_done: int = 0
    rows_total: int = 0

    def progress(self, rows_done: int, rows_total: int) -> None:
        """Note how far the step is, in rows; the heartbeat writes it."""
        self.rows_done, self.rows_total = rows_done, rows_total

    def check_fence(self, connection: sa.Connection | None = None) -> None:
        """Raise StaleAttemptError where a newer start of this step has drawn a token."""
        if connection is not None:
            self._check(connection)
            return
        with transaction() as c:
            self._check(c)

    def _check(self, c: sa.Connection) -> None:
        newest = c.execute(
            sa.text("SELECT max(token) FROM sentiment.run_step WHERE run_id = :run_id AND step = :step"),
            {"run_id": self.run_id, "step": self.name},
        ).scalar()
        if newest != self.token:
            raise StaleAttemptError(
                f"Attempt {self.token} of {self.name} in run {self.run_id} is stale: attempt {newest} has begun.",
                f"sentiment run show {self.run_id}",
            )


@contextmanager
def attempt(run_id: str, name: str) -> Iterator[Attempt]:
    """Start a step: draw its token, beat while it works, and write down how it ended.

    Raises ParameterError where the run's model was retired meanwhile.
    """
    current = _start(run_id, name)
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(current, stop), daemon=True)
    beat.start()
    try:
        _refuse_retired(current)
        yield current
    except BaseException as error:
        _fail(current, error)
        raise
    else:
        _finish(current)
    finally:
        stop.set()


def _start(run_id: str, name: str) -> Attempt:
    with transaction() as c:
        token: int = c.execute(
            sa.text(
                "INSERT INTO sentiment.run_step (run_id, step, token, state) "
                "VALUES (:run_id, :step, nextval('sentiment.fence_token'), 'running') RETURNING token"
            ),
            {"run_id": run_id, "step": name},
        ).scalar_one()
        c.execute(
            sa.text(
                "UPDATE sentiment.run SET status = 'running', verdict = NULL "
                "WHERE run_id = :run_id AND status = 'failed'"
            ),
            {"run_id": run_id},
        )
    log.info("%s of run %s starts with token %s", name, run_id, token)
    return Attempt(run_id, name, token)


def _refuse_retired(current: Attempt) -> None:
    query = (
        "SELECT model_id FROM sentiment.model WHERE retired_at IS NOT NULL "
        "AND model_id = (SELECT model_id FROM sentiment.run WHERE run_id = :run_id)"
    )
    with transaction() as c:
        retired = c.execute(sa.text(query), {"run_id": current.run_id}).scalar()
    if retired:
        raise ParameterError(
            f"Model {retired!r} of run {current.run_id} is retired: its scores are being removed.",
            f"sentiment model retire --undo {retired}",
        )


def _beat(current: Attempt, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT_S):
        try:
            with transaction() as c:
                _write(c, current, "running")
        except SentimentError as error:
            log.warning("heartbeat of %s not written: %s", current.name, error)


def _finish(current: Attempt) -> None:
    with transaction() as c:
        finish_in(c, current)


def finish_in(c: sa.Connection, current: Attempt) -> None:
    """Finish the step inside the caller's transaction, if its token is still the newest."""
    c.execute(sa.text("SELECT 1 FROM sentiment.run WHERE run_id = :r FOR UPDATE"), {"r": current.run_id})
    current.check_fence(c)
    _write(c, current, "done")
    if current.counts:
        columns = ", ".join(f"rows_{name} = :{name}" for name in current.counts)
        c.execute(
            sa.text(f"UPDATE sentiment.run SET {columns} WHERE run_id = :run_id"),
            {**current.counts, "run_id": current.run_id},
        )


def _fail(current: Attempt, error: BaseException) -> None:
    told = error if isinstance(error, SentimentError) else InfrastructureError(str(error)[:4000] or repr(error))
    fault = {"error_kind": type(told).__name__, "error": told.message, "try_next": told.try_next or None}
    try:
        with transaction() as c:
            _write(c, current, "failed", fault)
            c.execute(sa.text(MARK_FAILED), {"run_id": current.run_id, "token": current.token, "error": told.message})
    except SentimentError as second:
        log.warning("failure of %s not written: %s", current.name, second)


MARK_FAILED = """
UPDATE sentiment.run SET status = 'failed', verdict = :error, finished_at = now()
WHERE run_id = :run_id AND status IN ('running', 'audited')
  AND :token = (SELECT max(token) FROM sentiment.run_step WHERE run_id = :run_id)
"""
"""A stale attempt's failure says nothing about the run."""


def _write(c: sa.Connection, current: Attempt, state: str, fault: Mapping[str, str | None] | None = None) -> None:
    fault = fault or {"error_kind": None, "error": None, "try_next": None}
    c.execute(
        sa.text(
            "UPDATE sentiment.run_step SET state = :state, heartbeat_at = now(), rows_done = :rows_done, "
            "rows_total = :rows_total, detail = cast(:detail AS jsonb), error_kind = :error_kind, error = :error, "
            "try_next = :try_next, finished_at = CASE WHEN :state = 'running' THEN NULL ELSE now() END "
            "WHERE run_id = :run_id AND step = :step AND token = :token AND state = 'running'"
        ),
        {
            **fault,
            "state": state,
            "rows_done": current.rows_done,
            "rows_total": current.rows_total,
            "detail": json.dumps(current.detail),
            "run_id": current.run_id,
            "step": current.name,
            "token": current.token,
        },
    )


def finished(run_id: str, name: str) -> Attempt:
    """The newest finished start of a step, with its token and detail; ParameterError where none finished."""
    with transaction() as c:
        row = c.execute(
            sa.text(
                "SELECT token, detail FROM sentiment.run_step WHERE run_id = :run_id AND step = :step "
                "AND state = 'done' ORDER BY token DESC LIMIT 1"
            ),
            {"run_id": run_id, "step": name},
        ).one_or_none()
    if row is None:
        raise ParameterError(f"Step {name} of run {run_id} has not finished.", f"sentiment run show {run_id}")
    return Attempt(run_id, name, row.token, detail=row.detail)


def failure(run_id: str, name: str) -> tuple[str, str, str] | None:
    """Class, message and next command of the newest start of a step, if it failed and said why."""
    with transaction() as c:
        row = c.execute(
            sa.text(
                "SELECT state, error_kind, error, try_next FROM sentiment.run_step "
                "WHERE run_id = :run_id AND step = :step ORDER BY token DESC LIMIT 1"
            ),
            {"run_id": run_id, "step": name},
        ).one_or_none()
    if row is None or row.state != "failed":
        return None
    return row.error_kind, row.error, row.try_next or ""


def live_tokens() -> dict[int, str]:
    """Fence token -> run of every step that works now, by its heartbeat."""
    with transaction() as c:
        return {
            row.token: row.run_id
            for row in c.exec_driver_sql(f"SELECT token, run_id FROM sentiment.run_step WHERE {LIVE}")
        }
