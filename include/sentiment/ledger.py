"""Dumps, runs, steps and fence tokens: who may write, and what has been written.

A step start draws a fence token from one sequence. Whatever the step leaves behind carries the token,
and only the newest start of a step may finish it.
"""

from __future__ import annotations

import json
import logging
import shlex
import subprocess
import sys
import threading
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import sqlalchemy as sa

from sentiment.database import transaction
from sentiment.errors import InfrastructureError, ParameterError, SentimentError, StaleAttemptError
from sentiment.settings import PROJECT_ROOT

log = logging.getLogger(__name__)

HEARTBEAT_S = 10
LIVE_MINUTES = 10
"""A running step that has not beaten for longer is taken for dead."""
LIVE = f"state = 'running' AND heartbeat_at > now() - interval '{LIVE_MINUTES} minutes'"
"""SQL: which rows of `sentiment.run_step` work now."""
LOCK_OPENING = "SELECT pg_advisory_xact_lock(hashtext('sentiment.open_run'))"
STEPS = ("find_dump", "ingest", "validate", "score", "audit", "publish", "track_drift", "report")


@dataclass(frozen=True)
class Run:
    """One row of `sentiment.run`: identity and state."""

    run_id: str
    night: date
    source: str
    dump_id: str
    model_id: str
    status: str
    supersedes: str | None
    reason: str | None
    verdict: str | None
    counts: dict[str, int]
    requeue_of: str | None = None
    """The run of the same dump that it replaces, to let mended records through."""


@dataclass(frozen=True)
class DumpFile:
    """One file of a dump, as it lay there."""

    file_no: int
    uri: str
    sha256: str
    format: str
    compression: str
    n_bytes: int
    n_records: int


PHASES = (
    "dump found",
    "ingested",
    "validated",
    "chunk scored",
    "audited",
    "staged",
    "locked",
    "merged",
    "before commit",
    "after commit",
    "cleaned",
)
"""Moments of a night at which work is done but not yet written down as done: where being killed hurts most."""


def phase(name: str) -> None:
    """Tell Python's audit hooks (`sys.addaudithook`) where a night is; nobody listens outside the kill matrix."""
    sys.audit("sentiment.phase", name)


COUNTS = ("read", "accepted", "quarantined", "duplicate", "scored", "reused", "published")
_REQUEUE_OF = "(SELECT o.run_id FROM sentiment.run o WHERE o.run_id = run.supersedes AND o.dump_id = run.dump_id)"
_RUN_COLUMNS = (
    "run_id, night, source, dump_id, model_id, status, supersedes, reason, verdict, "
    f"{', '.join(f'rows_{c}' for c in COUNTS)}, {_REQUEUE_OF} AS requeue_of"
)


@lru_cache(maxsize=1)
def code_version() -> str:
    """Version and, in a checkout, the commit."""
    done = subprocess.run(
        ["git", "-C", str(PROJECT_ROOT), "rev-parse", "--short=12", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return version("sentiment") + (f"+{done.stdout.strip()}" if done.returncode == 0 else "")


def record_dump(dump_id: str, source: str, uri: str, files: list[DumpFile]) -> None:
    """Write the dump and its files down; the same dump again changes nothing."""
    with transaction() as c:
        c.execute(
            sa.text(
                "INSERT INTO sentiment.dump (dump_id, source, uri, n_files, n_bytes, n_records) "
                "VALUES (:dump_id, :source, :uri, :n_files, :n_bytes, :n_records) ON CONFLICT DO NOTHING"
            ),
            {
                "dump_id": dump_id,
                "source": source,
                "uri": uri,
                "n_files": len(files),
                "n_bytes": sum(f.n_bytes for f in files),
                "n_records": sum(f.n_records for f in files),
            },
        )
        c.execute(
            sa.text(
                "INSERT INTO sentiment.dump_file (dump_id, file_no, uri, sha256, format, compression, n_bytes, "
                "n_records) VALUES (:dump_id, :file_no, :uri, :sha256, :format, :compression, :n_bytes, :n_records) "
                "ON CONFLICT DO NOTHING"
            ),
            [{"dump_id": dump_id, **vars(f)} for f in files],
        )


def open_run(
    night: date,
    source: str,
    dump_id: str,
    model_id: str,
    airflow_run_id: str | None = None,
    supersede: bool = False,
    reason: str | None = None,
) -> Run:
    """The run of this identity: the one there is, or a new one.

    Raises ParameterError where another dump is published for the same night and `supersede` was not asked
    for with a reason.
    """
    asked = Run(_new_id(night), night, source, dump_id, model_id, "running", None, reason, None, {})
    with transaction() as c:
        c.exec_driver_sql(LOCK_OPENING)
        existing = _find_run(c, asked)
        if existing and existing.status == "published":
            return existing
        replaced = _published_otherwise(c, night, source, dump_id)
        if replaced and not (supersede and reason):
            raise ParameterError(
                f"Night {night} of {source} is already published from another dump (run {replaced}).",
                f"trigger again with supersede = true and a reason, or: {again(asked, supersede=True)}",
            )
        run_id = (existing or asked).run_id
        _write_run(c, replace(asked, run_id=run_id, supersedes=replaced), airflow_run_id)
    return get_run(run_id)


def again(run: Run, allow: Collection[str] = (), supersede: bool = False) -> str:
    """The command that runs a night again, from its own dump; `allow` are rules that may be broken."""
    if run.requeue_of:
        options = "".join(f"--allow {rule} " for rule in allow)
        return f"sentiment quarantine requeue {run.requeue_of} {options}--reason 'why it is right' --replace"
    with transaction() as c:
        uri = c.execute(sa.text("SELECT uri FROM sentiment.dump WHERE dump_id = :d"), {"d": run.dump_id}).scalar()
    night = f"make nightly DUMP={shlex.quote(uri or '…')} DATE={run.night} SOURCE={run.source} MODEL={run.model_id}"
    night += " SUPERSEDE='why'" if supersede else ""
    return f"{night} ALLOW={','.join(allow)} REASON='why it is right'" if allow else night


def open_requeue(requeued: str, reason: str, airflow_run_id: str | None = None) -> Run:
    """The run that takes up the dump of a published run again, to replace it: the one there is, or a new one.

    Raises ParameterError where `requeued` is not what its night shows.
    """
    with transaction() as c:
        c.exec_driver_sql(LOCK_OPENING)
        old = _get_run(c, requeued)
        existing = _find_run(c, old, requeued)
        if existing and existing.status == "published":
            return existing
        _check_shown(c, old)
        run_id = existing.run_id if existing else _new_id(old.night)
        _write_run(c, replace(old, run_id=run_id, supersedes=requeued, reason=reason), airflow_run_id)
    return get_run(run_id)


def find_requeue(old: Run) -> Run | None:
    """The run that was opened to requeue a run, unless it was superseded in its turn."""
    with transaction() as c:
        return _find_run(c, old, old.run_id)


def check_shown(run: Run) -> None:
    """Raise ParameterError, naming the run that is, where a run is not what its night shows."""
    with transaction() as c:
        _check_shown(c, run)


def _check_shown(c: sa.Connection, run: Run) -> None:
    if run.status == "published":
        return
    query = "SELECT run_id FROM sentiment.run WHERE night = :night AND source = :source AND status = 'published'"
    shown = c.execute(sa.text(query), {"night": run.night, "source": run.source}).scalars().first()
    raise ParameterError(
        f"Run {run.run_id} is {run.status}, and only a run that its night shows can be requeued; "
        f"night {run.night} shows {shown or 'none'}.",
        f"sentiment quarantine requeue {shown}" if shown else "sentiment runs",
    )


def _new_id(night: date) -> str:
    return f"{night:%Y%m%d}-{uuid.uuid4().hex[:8]}"


def _write_run(c: sa.Connection, run: Run, airflow_run_id: str | None) -> None:
    """Write the run as one that begins, or begins again."""
    names = ("run_id", "night", "source", "dump_id", "model_id", "supersedes", "reason")
    c.execute(
        sa.text(
            "INSERT INTO sentiment.run (run_id, night, source, dump_id, model_id, airflow_run_id, status, "
            "code_version, supersedes, reason) VALUES (:run_id, :night, :source, :dump_id, :model_id, "
            ":airflow_run_id, 'running', :code_version, :supersedes, :reason) "
            "ON CONFLICT (run_id) DO UPDATE SET status = 'running', airflow_run_id = excluded.airflow_run_id, "
            "code_version = excluded.code_version, supersedes = excluded.supersedes, reason = excluded.reason, "
            "verdict = NULL, finished_at = NULL"
        ),
        {name: getattr(run, name) for name in names}
        | {"airflow_run_id": airflow_run_id, "code_version": code_version()},
    )


def _find_run(c: sa.Connection, like: Run, requeue_of: str | None = None) -> Run | None:
    """The run of that night, source, dump and model that counts: the published one, else the one not over.

    With `requeue_of` the one that was opened to replace that run.
    """
    which = "requeue_of = :requeue_of" if requeue_of else "(requeue_of IS NULL OR status = 'published')"
    identity = {name: getattr(like, name) for name in ("night", "source", "dump_id", "model_id")}
    row = c.execute(
        sa.text(
            f"SELECT * FROM (SELECT {_RUN_COLUMNS} FROM sentiment.run WHERE night = :night AND source = :source "
            f"AND dump_id = :dump_id AND model_id = :model_id AND status <> 'superseded') AS found WHERE {which} "
            "ORDER BY status = 'published' DESC LIMIT 1"
        ),
        {**identity, "requeue_of": requeue_of},
    ).one_or_none()
    return _run(row) if row else None


def _published_otherwise(c: sa.Connection, night: date, source: str, dump_id: str) -> str | None:
    found: str | None = c.execute(
        sa.text(
            "SELECT run_id FROM sentiment.run WHERE night = :night AND source = :source "
            "AND status = 'published' AND dump_id <> :dump_id ORDER BY published_at DESC LIMIT 1"
        ),
        {"night": night, "source": source, "dump_id": dump_id},
    ).scalar()
    return found


def _run(row: sa.Row[Any]) -> Run:
    values = row._mapping
    names = ("run_id", "night", "source", "dump_id", "model_id", "status", "supersedes", "reason", "verdict")
    counts = {c: values[f"rows_{c}"] for c in COUNTS}
    return Run(**{n: values[n] for n in names}, counts=counts, requeue_of=values["requeue_of"])


def get_run(run_id: str) -> Run:
    """The run; ParameterError where there is none."""
    with transaction() as c:
        return _get_run(c, run_id)


def _get_run(c: sa.Connection, run_id: str) -> Run:
    query = f"SELECT {_RUN_COLUMNS} FROM sentiment.run WHERE run_id = :run_id"
    row = c.execute(sa.text(query), {"run_id": run_id}).one_or_none()
    if row is None:
        raise ParameterError(f"There is no run {run_id!r}.", "sentiment runs")
    return _run(row)


def set_status(run_id: str, status: str, verdict: str | None = None) -> None:
    """Move the run to `status`, with the night in one sentence if there is something to say."""
    with transaction() as c:
        c.execute(
            sa.text(
                "UPDATE sentiment.run SET status = "
                "CASE WHEN status IN ('published', 'superseded') THEN status ELSE :status END, "
                "verdict = coalesce(:verdict, verdict), finished_at = now() WHERE run_id = :run_id"
            ),
            {"run_id": run_id, "status": status, "verdict": verdict},
        )


@dataclass
class Step:
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
def step(run_id: str, name: str) -> Iterator[Step]:
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


def _start(run_id: str, name: str) -> Step:
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
    return Step(run_id, name, token)


def _refuse_retired(current: Step) -> None:
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


def _beat(current: Step, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT_S):
        try:
            with transaction() as c:
                _write(c, current, "running")
        except SentimentError as error:
            log.warning("heartbeat of %s not written: %s", current.name, error)


def _finish(current: Step) -> None:
    with transaction() as c:
        finish_in(c, current)


def finish_in(c: sa.Connection, current: Step) -> None:
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


def _fail(current: Step, error: BaseException) -> None:
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


def _write(c: sa.Connection, current: Step, state: str, fault: Mapping[str, str | None] | None = None) -> None:
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


def done(run_id: str, name: str) -> Step:
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
    return Step(run_id, name, row.token, detail=row.detail)


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
