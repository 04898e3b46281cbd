"""Record dumps and open runs: which run stands for a night, source, dump and model."""

from __future__ import annotations

import logging
import shlex
import shutil
import subprocess
import uuid
from collections.abc import Collection
from dataclasses import replace
from datetime import date
from functools import lru_cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import sqlalchemy as sa

from sentiment.database import transaction
from sentiment.errors import ParameterError
from sentiment.runs import turns
from sentiment.runs.model import COUNTS, READING_VERSION, DumpFile, Run
from sentiment.settings import PROJECT_ROOT
from sentiment.sql import statement

log = logging.getLogger(__name__)

LOCK_OPENING = "SELECT pg_advisory_xact_lock(hashtext('sentiment.open_run'))"
"""SQL: let nobody else open a run, or remove what one is about to need, until the transaction ends."""

COMMIT = "COMMIT"
"""File of the package that `docker/Dockerfile` writes: an image has neither git nor the repository."""

IDENTITY = ("night", "source", "dump_id", "model_id")


@lru_cache(maxsize=1)
def code_version() -> str:
    """Return the version of this package and, where it is known, the commit, like 0.1.0+ed0ba86f1c2d."""
    commit = _commit()
    return version("sentiment") + (f"+{commit}" if commit else "")


def _commit() -> str:
    """Return the commit that the image was built from, else the checkout's; "" where there is neither."""
    built = files("sentiment") / COMMIT
    if built.is_file():
        return built.read_text("utf-8").strip()
    # Of the checkout's own root: an installed package may lie inside somebody else's repository.
    if not (PROJECT_ROOT / ".git").exists() or not shutil.which("git"):
        return ""
    command = ["git", "-C", str(PROJECT_ROOT), "rev-parse", "--short=12", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode else done.stdout.strip()


def record_dump(dump_id: str, source: str, uri: str, files: list[DumpFile]) -> None:
    """Record a dump and its files; the same dump again changes nothing."""
    with transaction() as c:
        c.execute(
            statement("runs/insert_dump"),
            {
                "dump_id": dump_id,
                "source": source,
                "uri": uri,
                "n_files": len(files),
                "n_bytes": sum(file.n_bytes for file in files),
                "n_records": sum(file.n_records for file in files),
            },
        )
        c.execute(statement("runs/insert_dump_file"), [{"dump_id": dump_id, **vars(file)} for file in files])


def open_run(
    night: date,
    source: str,
    dump_id: str,
    model_id: str,
    airflow_run_id: str | None = None,
    supersede: bool = False,
    reason: str | None = None,
    alone: bool = False,
) -> Run:
    """Return the run of a night, source, dump and model: the one there is, or a new one.

    Raises ParameterError where another dump is published for the same night and `supersede` was not requested with a
    reason; with `alone` NightAtWorkError where another run of the source is between ingest and publish.
    """
    request = Run(_new_id(night), night, source, dump_id, model_id, "running", None, reason, None, {})
    with transaction() as c:
        # Before looking: of two that open the same run the second would else fail at the index `run_identity`.
        c.exec_driver_sql(LOCK_OPENING)
        existing = _find_run(c, request)
        if existing and existing.status == "published":
            return existing
        replaced = _published_otherwise(c, night, source, dump_id)
        if replaced and not (supersede and reason):
            raise ParameterError(
                f"Night {night} of {source} is already published from another dump (run {replaced}).",
                f"trigger again with supersede = true and a reason, or: {rerun_command(request, supersede=True)}",
            )
        run_id = (existing or request).run_id
        if alone:
            turns.check(c, source, run_id=run_id)
        _write_run(c, replace(request, run_id=run_id, supersedes=replaced), airflow_run_id)
    return get_run(run_id)


def rerun_command(run: Run, allow: Collection[str] = (), supersede: bool = False, encoding: str | None = None) -> str:
    """Return the command that runs a night again from its own dump; `allow` are batch checks that it may fail.

    `encoding` is one of `dump.encoding.ENCODINGS` to read the dump in; None: as before.
    """
    if run.requeue_of:
        options = "".join(f"--allow {rule} " for rule in allow) + (f"--encoding {encoding} " if encoding else "")
        return f"sentiment quarantine requeue {run.requeue_of} {options}--reason 'why it is right' --replace"
    with transaction() as c:
        query = sa.text("SELECT uri FROM sentiment.dump WHERE dump_id = :dump_id")
        uri = c.execute(query, {"dump_id": run.dump_id}).scalar()
    night = f"make nightly DUMP={shlex.quote(uri or '…')} DATE={run.night} SOURCE={run.source} MODEL={run.model_id}"
    night += f" ENCODING={encoding}" if encoding else ""
    night += " SUPERSEDE='why'" if supersede else ""
    return f"{night} ALLOW={','.join(allow)} REASON='why it is right'" if allow else night


def open_requeue(requeued: str, reason: str, airflow_run_id: str | None = None, alone: bool = False) -> Run:
    """Return the run that reads the dump of the published run `requeued` again, to replace it: the one there is, or a
    new one.

    Raises ParameterError where `requeued` is not what its night shows; with `alone` what `open_run` raises.
    """
    with transaction() as c:
        c.exec_driver_sql(LOCK_OPENING)
        old = _get_run(c, requeued)
        existing = _find_run(c, old, requeued)
        if existing and existing.status == "published":
            return existing
        _check_shown(c, old)
        run_id = existing.run_id if existing else _new_id(old.night)
        if alone:
            turns.check(c, old.source, run_id=run_id)
        _write_run(c, replace(old, run_id=run_id, supersedes=requeued, reason=reason), airflow_run_id)
    return get_run(run_id)


def find_requeue(old: Run) -> Run | None:
    """Return the run that was opened to requeue `old`, unless that run was superseded in its turn."""
    with transaction() as c:
        return _find_run(c, old, old.run_id)


def check_shown(run: Run) -> None:
    """Raise ParameterError where a run is not what its night shows; the error names the run that is."""
    with transaction() as c:
        _check_shown(c, run)


def _check_shown(c: sa.Connection, run: Run) -> None:
    if run.status == "published":
        return
    query = sa.text(
        "SELECT run_id FROM sentiment.run WHERE night = :night AND source = :source AND status = 'published'"
    )
    shown = c.execute(query, {"night": run.night, "source": run.source}).scalars().first()
    status = c.execute(statement("runs/listing/status_of_run"), {"run_id": run.run_id}).scalar_one()
    own = c.execute(statement("runs/listing/newest_next"), {"run_id": run.run_id}).scalar()
    raise ParameterError(
        f"Run {run.run_id} is {status}, and only a run that its night shows can be requeued; "
        f"night {run.night} shows {shown or 'none'}.",
        own if status == "stopped" and own else f"sentiment quarantine requeue {shown}" if shown else "sentiment runs",
    )


def _new_id(night: date) -> str:
    return f"{night:%Y%m%d}-{uuid.uuid4().hex[:8]}"


def _write_run(c: sa.Connection, run: Run, airflow_run_id: str | None) -> None:
    names = ("run_id", *IDENTITY, "supersedes", "reason")
    values = {name: getattr(run, name) for name in names}
    versions = {"code_version": code_version(), "reading_version": READING_VERSION}
    c.execute(statement("runs/write_run"), {**values, "airflow_run_id": airflow_run_id, **versions})


def _find_run(c: sa.Connection, like: Run, requeue_of: str | None = None) -> Run | None:
    identity = {name: getattr(like, name) for name in IDENTITY}
    row = c.execute(statement("runs/find_run"), {**identity, "requeue_of": requeue_of}).one_or_none()
    return _run(row) if row else None


def _published_otherwise(c: sa.Connection, night: date, source: str, dump_id: str) -> str | None:
    values = {"night": night, "source": source, "dump_id": dump_id}
    run_id: str | None = c.execute(statement("runs/published_from_other_dump"), values).scalar()
    return run_id


def _run(row: sa.Row[Any]) -> Run:
    values = row._mapping
    counts = {count: values[f"rows_{count}"] for count in COUNTS}
    names = ("run_id", *IDENTITY, "status", "supersedes", "reason", "verdict", "requeue_of")
    return Run(**{name: values[name] for name in names}, counts=counts)


def get_run(run_id: str) -> Run:
    """Return a run; raise ParameterError where there is none of this id."""
    with transaction() as c:
        return _get_run(c, run_id)


def _get_run(c: sa.Connection, run_id: str) -> Run:
    row = c.execute(statement("runs/get_run"), {"run_id": run_id}).one_or_none()
    if row is None:
        raise ParameterError(f"There is no run {run_id!r}.", "sentiment runs")
    return _run(row)


def set_status(run_id: str, status: str, verdict: str | None = None) -> None:
    """Move a run to `status`, unless it is published or superseded; `verdict` is the night in one paragraph."""
    with transaction() as c:
        c.execute(statement("runs/set_status"), {"run_id": run_id, "status": status, "verdict": verdict})
