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
from sentiment.errors import ParameterError, SentimentError, StaleAttemptError
from sentiment.runs.handoff import Handoff, Model, ReceivedDump, load
from sentiment.runs.model import COUNTS
from sentiment.runs.recognition import recognised
from sentiment.sql import statement

log = logging.getLogger(__name__)

# Sixty beats may be missed before an attempt is taken for dead, and retention may remove what it works on.
HEARTBEAT_S = 10
LIVE_MINUTES = 10
"""An attempt without a heartbeat for longer is taken for dead."""


@dataclass
class Attempt:
    """A running attempt of a step."""

    run_id: str
    step: str
    token: int
    """The fencing token: greater than those of all attempts that began before."""
    counts: dict[str, int] = field(default_factory=dict)
    """For the run's columns, by the names of `runs.model.COUNTS`; written when the attempt finishes."""
    handoff: Handoff | None = None
    """What the steps after this one read; stored with every heartbeat and at the end, failed or not."""
    rows_done: int = 0
    rows_total: int = 0
    pace: Mapping[str, float] = field(default_factory=dict)
    """`rows_per_s` and `left_s`, seconds still to go; empty before something is done."""

    def progress(self, rows_done: int, rows_total: int, pace: Mapping[str, float] | None = None) -> None:
        """Note how far the step is, in rows; the next heartbeat writes it."""
        self.rows_done, self.rows_total, self.pace = rows_done, rows_total, pace or {}

    def check_token(self, connection: sa.Connection | None = None) -> None:
        """Raise StaleAttemptError where a newer attempt of this step has drawn a token."""
        if connection is not None:
            self._check(connection)
            return
        with transaction() as c:
            self._check(c)

    def _check(self, c: sa.Connection) -> None:
        newest = c.execute(
            sa.text("SELECT max(token) FROM sentiment.run_step WHERE run_id = :run_id AND step = :step"),
            {"run_id": self.run_id, "step": self.step},
        ).scalar()
        if newest != self.token:
            raise StaleAttemptError(
                f"Attempt {self.token} of {self.step} in run {self.run_id} is stale: attempt {newest} has begun.",
                f"sentiment run show {self.run_id}",
            )


@dataclass(frozen=True)
class Finished:
    """The newest finished attempt of a step."""

    run_id: str
    step: str
    token: int
    """Names the folders of the parts that the attempt committed."""
    detail: Mapping[str, Any]
    """The stored JSON; `handoff` gives it types."""

    def handoff(self, model: type[Model]) -> Model:
        """Return what the attempt left; raise InfrastructureError where the row doesn't fit the model."""
        return load(model, self.detail, f"attempt {self.token} of {self.step} in run {self.run_id}")


@contextmanager
def attempt(run_id: str, step: str) -> Iterator[Attempt]:
    """Begin an attempt of a step: draw its token, beat while it works, and record how it ended.

    Raises ParameterError where the run's model was retired meanwhile, StaleAttemptError at the end where a newer
    attempt has begun. An error inside is recorded and raised again.
    """
    current = _begin(run_id, step)
    stop = threading.Event()
    # A daemon, so that a beat that hangs in the database keeps no finished job's process alive.
    beat = threading.Thread(target=_beat, args=(current, stop), daemon=True)
    beat.start()
    try:
        # After the token is drawn: from then on retention counts the attempt as alive, so a model that is retired later
        # keeps its scores while the attempt works.
        _refuse_retired(current)
        yield current
    except BaseException as error:  # a killed task's SystemExit is recorded as well
        _fail(current, error)
        raise
    else:
        _finish(current)
    finally:
        # Not joined: a beat that is still under way changes nothing, since `write_attempt` leaves ended attempts alone.
        stop.set()


def _begin(run_id: str, step: str) -> Attempt:
    with transaction() as c:
        token: int = c.execute(statement("runs/begin_attempt"), {"run_id": run_id, "step": step}).scalar_one()
        c.execute(
            sa.text(
                # A failed run goes on; its verdict was the error.
                "UPDATE sentiment.run SET status = 'running', verdict = NULL "
                "WHERE run_id = :run_id AND status = 'failed'"
            ),
            {"run_id": run_id},
        )
    log.info("%s of run %s starts with token %s", step, run_id, token)
    return Attempt(run_id, step, token)


def _refuse_retired(current: Attempt) -> None:
    with transaction() as c:
        retired = c.execute(statement("runs/retired_model"), {"run_id": current.run_id}).scalar()
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
        except SentimentError as error:  # a beat that is missed is no reason to lose an hour's scores
            log.warning("heartbeat of %s not written: %s", current.step, error)


def _finish(current: Attempt) -> None:
    with transaction() as c:
        finish_in(c, current)


def finish_in(c: sa.Connection, current: Attempt) -> None:
    """Finish the step inside the caller's transaction; raise StaleAttemptError where its token is not the newest."""
    # The run's row is locked first, so that of two attempts that finish at once the second sees the first one's end.
    c.execute(sa.text("SELECT 1 FROM sentiment.run WHERE run_id = :run_id FOR UPDATE"), {"run_id": current.run_id})
    current.check_token(c)
    _write(c, current, "done")
    if current.counts:
        counts: dict[str, int | None] = {**dict.fromkeys(COUNTS), **current.counts}
        c.execute(statement("runs/write_counts"), {**counts, "run_id": current.run_id})


def _fail(current: Attempt, error: BaseException) -> None:
    known = recognised(error)
    record = {"error_kind": type(known).__name__, "error": known.message, "try_next": known.try_next or None}
    try:
        with transaction() as c:
            _write(c, current, "failed", record)
            c.execute(
                statement("runs/fail_run"),
                {"run_id": current.run_id, "token": current.token, "error": known.message},
            )
    except SentimentError as second:  # the first error is the one to raise
        log.warning("failure of %s not written: %s", current.step, second)


def _write(c: sa.Connection, current: Attempt, state: str, error: Mapping[str, str | None] | None = None) -> None:
    handoff = current.handoff.stored() if current.handoff else {}
    c.execute(
        statement("runs/write_attempt"),
        {
            **(error or {"error_kind": None, "error": None, "try_next": None}),
            "state": state,
            "rows_done": current.rows_done,
            "rows_total": current.rows_total,
            "detail": json.dumps({**handoff, **current.pace}),
            "run_id": current.run_id,
            "step": current.step,
            "token": current.token,
        },
    )


def finished(run_id: str, step: str) -> Finished:
    """Return the newest finished attempt of a step; raise ParameterError where none has finished."""
    with transaction() as c:
        row = c.execute(statement("runs/finished_attempt"), {"run_id": run_id, "step": step}).one_or_none()
    if row is None:
        raise ParameterError(f"Step {step} of run {run_id} has not finished.", f"sentiment run show {run_id}")
    return Finished(run_id, step, row.token, row.detail)


def received_dump(run_id: str) -> ReceivedDump:
    """Return what the newest finished attempt to receive the run's dump left; ParameterError where none has finished.

    That attempt is of ingest; in runs of earlier versions it is of find_dump.
    """
    with transaction() as c:
        row = c.execute(statement("runs/received_dump"), {"run_id": run_id}).one_or_none()
    if row is None:
        raise ParameterError(f"Step ingest of run {run_id} has not finished.", f"sentiment run show {run_id}")
    return Finished(run_id, row.step, row.token, row.detail).handoff(ReceivedDump)


def live_tokens() -> dict[int, str]:
    """Return fencing token -> run of every attempt that works now, by its heartbeat."""
    with transaction() as c:
        rows = c.execute(
            sa.text(
                "SELECT token, run_id FROM sentiment.run_step "
                "WHERE state = 'running' AND heartbeat_at > now() - interval '10 minutes'"
            )
        )
        return {row.token: row.run_id for row in rows}
