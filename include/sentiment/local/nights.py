"""Run one night or one requeue on this machine, from a bare checkout to its summary, by `airflow dags test`."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from pydantic import TypeAdapter

from sentiment import settings
from sentiment.database import transaction
from sentiment.embedded import airflow, machine
from sentiment.embedded.machine import Machine, Progress, stage
from sentiment.errors import InfrastructureError, NightAtWorkError, ParameterError, SentimentError, log_end, quoted
from sentiment.orchestration import ingesting
from sentiment.orchestration.ingesting import OpenedRun
from sentiment.runs import opening, outcome, turns
from sentiment.runs.recognition import disk_full, disk_is_full
from sentiment.runtime import class_archive
from sentiment.samples import sample_dump
from sentiment.settings import Settings
from sentiment.sql import statement

if TYPE_CHECKING:
    from sentiment.orchestration.requeueing import Requeue

DAG, REQUEUE_DAG = "nightly_reviews", "requeue_quarantine"
POLL_S = 0.5
"""How often the progress of the steps is read, in seconds."""
TURN_S = 20
"""Seconds without a step after which it is looked whether the night waits for another, and between looks."""


@dataclass(frozen=True)
class Outcome:
    """How a night ended."""

    run_id: str
    nothing_new: bool
    """Whether the run had been published before."""
    log: Path
    """Airflow's log of the night."""
    psql: str
    """The command that opens the published tables as the reader."""


def run(params: dict[str, Any], progress: Progress) -> Outcome:
    """Prepare the machine and run the DAG for one night; `progress` receives a line for each change.

    `params` are the DAG's Params; without a night it is yesterday's, without a dump one of made-up reviews.
    Raises the error of the task that failed.
    """
    config = settings.load()
    night = params.get("night") or yesterday().isoformat()
    ready = machine.prepare(config, progress)
    config = settings.load()
    requested = {"source": config.source, "model": config.model, **params, "night": night}
    dump = params.get("dump") or str(_sample(config, requested, progress))
    conf = {**requested, "dump": _absolute(dump)}
    return _through_airflow(DAG, f"Night {night}", conf, ready, progress)


def requeue(request: Requeue, progress: Progress) -> Outcome:
    """Prepare the machine and run the night of a published run again, to reprocess its refused records.

    Raises what `requeueing.plan` raises, and the error of the task that failed.
    """
    from sentiment.orchestration import requeueing

    ready = machine.prepare(settings.load(), progress)
    planned = requeueing.plan(request)
    progress(planned.summary())
    conf = {**asdict(request), "allow": list(request.allow), "dry_run": False}
    del conf["airflow_run_id"]  # no Param of the DAG: Airflow knows its own
    return _through_airflow(REQUEUE_DAG, f"Requeue of {request.run_id}", conf, ready, progress)


def _through_airflow(dag: str, title: str, conf: dict[str, Any], ready: Machine, progress: Progress) -> Outcome:
    config = settings.load()
    if airflow.scheduler_would_interfere(config, ready.env, dag):
        raise ParameterError(
            f"Airflow's UI is up and {dag} is switched on there: its scheduler would run tasks of this night too.",
            f"trigger it at http://127.0.0.1:{config.airflow_port}/dags/{dag}, or: make down",
        )
    with stage(progress, f"{title} through Airflow's DAG {dag}") as remarks, airflow.night_in_progress(ready.env):
        opened, log = _dags_test(config, ready, dag, conf, progress)
        remarks.append(f"log {log}")
    # After the first night, when the machine has nothing else to do.
    class_archive.make_in_background(config)
    return Outcome(opened.run_id, opened.nothing_new, log, psql_line(config, ready))


def _absolute(dump: str) -> str:
    # Airflow runs in another folder.
    return dump if "://" in dump else str(Path(dump).expanduser().absolute())


def psql_line(config: Settings, ready: Machine) -> str:
    """Return the command that opens the published tables as the reader."""
    command = quoted(airflow.bin_folder() / "sentiment")
    return f'{quoted(ready.server.psql)} "$({command} db url --role reader)"'


def yesterday() -> date:
    """Return the last day that is over in Paris."""
    return datetime.now(ingesting.PARIS).date() - timedelta(days=1)


def _check_no_real_reviews(requested: Mapping[str, Any]) -> None:
    """Raise ParameterError where made-up reviews would replace published ones, or stand among them."""
    values = {"source": requested["source"], "samples": sample_dump.INVENTED}
    with transaction() as c:
        uri = c.execute(statement("local/nights/dump_of_ones_own"), values).scalar()
    if uri or requested.get("supersede"):
        raise ParameterError(
            f"No dump is named, and made-up reviews are not published among {requested['source']}'s own"
            f"{f', like those of {uri}' if uri else ''}.",
            f"make nightly DUMP=… DATE={requested['night']}",
        )


def _sample(config: Settings, requested: Mapping[str, Any], progress: Progress) -> Path:
    """Return a made-up dump of the night, written once; ParameterError where real reviews are published."""
    _check_no_real_reviews(requested)
    night = date.fromisoformat(requested["night"])
    path = sample_dump.path_of(config.home, night)
    if not path.exists():
        with stage(progress, "Sample dump") as remarks:
            written = sample_dump.write(sample_dump.SampleDump(night=night), path)
            remarks.append(f"{written.records:,} made-up reviews in {path}")
    return path


def _dags_test(
    config: Settings, ready: Machine, dag: str, conf: dict[str, Any], progress: Progress
) -> tuple[OpenedRun, Path]:
    """Run the DAG in a process of its own; return the run that it opened, and its log.

    Raises the error of the task that failed.
    """
    name = f"nightly-{conf['night']}" if dag == DAG else f"requeue-{conf['run_id']}"
    log = config.home / "logs" / f"{name}-{datetime.now():%Y%m%dT%H%M%S.%f}.log"
    note = log.with_suffix(".outcome.json")
    command = [*airflow.command(), "dags", "test", dag, "--conf", json.dumps(conf)]
    # Airflow wraps its log at the terminal's width, in the middle of paths.
    env = {**ready.env, "SENTIMENT_FAILURE_NOTE": str(note), "COLUMNS": "200"}
    # Made here and now: no note beside it can be another night's.
    with log.open("xb") as out:
        process = subprocess.Popen(command, env=env, stdout=out, stderr=subprocess.STDOUT, cwd=config.home)
        try:
            _follow(process, conf, progress)
        except BaseException:  # Ctrl-C too: Airflow's tasks would go on alone
            airflow.end_tree(process.pid)
            raise
    if process.returncode:
        raise _failure(note, log)
    # By the DAG's own word: another run of this night, like the published one, may be as new.
    return TypeAdapter(OpenedRun).validate_python(outcome.result(note, dag, log_end(log))), log


def _follow(process: subprocess.Popen[bytes], conf: Mapping[str, Any], progress: Progress) -> None:
    """Report each step's start, rows and end, as `sentiment.run_step` has them, until the process ends.

    As long as no step has begun, report once which run of another night is waited for.
    """
    newest, reported = _newest_token(), set[tuple[int, str]]()  # token and state
    turn_s, is_waiting = time.monotonic() + TURN_S, False
    while True:
        if not (reported or is_waiting) and time.monotonic() > turn_s:
            turn_s, is_waiting = time.monotonic() + TURN_S, _reported_turn(conf, progress)
        # Asked before the steps are read, so that the last ones are reported too.
        has_ended = process.poll() is not None
        for attempt in _attempts_since(newest):
            state = _describe(attempt)
            if (attempt.token, state) not in reported:
                reported.add((attempt.token, state))
                progress(f"  {attempt.step}: {state}")
        if has_ended:
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(POLL_S)


def _reported_turn(conf: Mapping[str, Any], progress: Progress) -> bool:
    """Report, and return, whether another night of the source is at work, so that this one's ingest waits."""
    requeued = opening.get_run(conf["run_id"]) if "run_id" in conf else None
    source = requeued.source if requeued else conf["source"]
    night = requeued.night if requeued else date.fromisoformat(conf["night"])
    try:
        with transaction() as c:
            turns.check(c, source, night)
    except NightAtWorkError as error:
        progress(f"  ingest: waits. {error.message}")
        return True
    return False


def _describe(attempt: sa.Row[Any]) -> str:
    if attempt.state == "running":
        return f"{attempt.rows_done:,} of {attempt.rows_total:,} rows" if attempt.rows_total else "started"
    return f"{attempt.state} in {(attempt.finished_at - attempt.started_at).total_seconds():.1f} s"


def _newest_token() -> int:
    with transaction() as c:
        return int(c.execute(sa.text("SELECT coalesce(max(token), 0) FROM sentiment.run_step")).scalar_one())


def _attempts_since(token: int) -> list[sa.Row[Any]]:
    with transaction() as c:
        return list(c.execute(statement("local/nights/attempts_since"), {"token": token}))


def _failure(note: Path, log: Path) -> SentimentError:
    """Return the failed task's own error; else what Airflow wrote at the log's end, where it refused to begin."""
    noted = outcome.read(note)
    if noted is not None and noted.error is not None:
        error = noted.error.error()
        return type(error)(f"{noted.task}: {error.message}", error.try_next or log_end(log))
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    refused = [line.partition(PARAM_REFUSED)[2] for line in lines if PARAM_REFUSED in line]
    if refused:
        return ParameterError(f"Airflow refused the parameter {refused[-1]}.", "make help")
    if disk_is_full(log.parent):
        return disk_full(f"Airflow could write no report below {log.parent}")
    return InfrastructureError(
        f"Airflow ended before any task failed: {(lines or ['no line was logged'])[-1]}",
        log_end(log),
    )


# Airflow checks Params before any task, so no task can write a note about one.
PARAM_REFUSED = "ParamValidationError: Invalid input for param "
