"""Record dumps and open runs: which run stands for a night, source, dump and model."""

from __future__ import annotations

import logging
import shlex
import subprocess
import uuid
from collections.abc import Collection
from dataclasses import replace
from datetime import date
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import sqlalchemy as sa

from sentiment.database import transaction
from sentiment.errors import ParameterError
from sentiment.runs.model import COUNTS, DumpFile, Run
from sentiment.settings import PROJECT_ROOT

log = logging.getLogger(__name__)


LOCK_OPENING = "SELECT pg_advisory_xact_lock(hashtext('sentiment.open_run'))"


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
                f"trigger again with supersede = true and a reason, or: {rerun_command(asked, supersede=True)}",
            )
        run_id = (existing or asked).run_id
        _write_run(c, replace(asked, run_id=run_id, supersedes=replaced), airflow_run_id)
    return get_run(run_id)


def rerun_command(run: Run, allow: Collection[str] = (), supersede: bool = False) -> str:
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
