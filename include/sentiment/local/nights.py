"""`make nightly` and requeues: one night on this machine, from a bare checkout to a summary in words."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sentiment import settings
from sentiment.database import transaction
from sentiment.embedded import airflow, machine
from sentiment.embedded.machine import Machine, Tell, stage
from sentiment.errors import InfrastructureError, ParameterError, SentimentError, from_record
from sentiment.orchestration import steps
from sentiment.runs.model import Run
from sentiment.samples import sample_dump
from sentiment.settings import Settings

if TYPE_CHECKING:
    from sentiment.orchestration.requeueing import Requeue

DAG, REQUEUE_DAG = "nightly_reviews", "requeue_quarantine"
POLL_S = 0.5


@dataclass(frozen=True)
class Outcome:
    """What became of the night."""

    run_id: str
    nothing_new: bool
    log: Path
    psql: str


def run(params: dict[str, Any], tell: Tell) -> Outcome:
    """Prepare the machine and run the DAG for one night with `airflow dags test`.

    `params` are the DAG's Params; without a night it is yesterday, without a dump a made-up sample.
    Raises the error of the task that failed.
    """
    config = settings.load()
    night = params.get("night") or yesterday().isoformat()
    ready = machine.prepare(config, tell)
    config = settings.load()
    asked = {"source": config.source, "model": config.model, **params, "night": night}
    dump = params.get("dump") or str(_sample(config, asked, tell))
    conf = {**asked, "dump": _absolute(dump)}
    began, log = datetime.now(UTC), _through_airflow(DAG, f"Night {night}", conf, ready, tell)
    return _outcome(_run_of(conf), began, log, ready)


def requeue(asked: Requeue, tell: Tell) -> Outcome:
    """Prepare the machine and run the night of a published run again, to let mended records through.

    Raises what `requeueing.plan` raises, and the error of the task that failed.
    """
    from sentiment.orchestration import requeueing

    ready = machine.prepare(settings.load(), tell)
    planned = requeueing.plan(asked)
    tell(planned.summary())
    conf = {**asdict(asked), "allow": list(asked.allow), "dry_run": False}
    del conf["airflow_run_id"]
    began, log = datetime.now(UTC), _through_airflow(REQUEUE_DAG, f"Requeue of {asked.run_id}", conf, ready, tell)
    return _outcome(_requeue_of(planned.run), began, log, ready)


def _through_airflow(dag: str, what: str, conf: dict[str, Any], ready: Machine, tell: Tell) -> Path:
    config = settings.load()
    if airflow.scheduler_would_interfere(config, ready.env, dag):
        raise ParameterError(
            f"Airflow's UI is up and {dag} is switched on there: its scheduler would take part in this night.",
            f"trigger it at http://127.0.0.1:{config.airflow_port}/dags/{dag}, or: make down",
        )
    with stage(tell, f"{what} through Airflow's DAG {dag}") as words, airflow.night_in_progress(ready.env):
        log = _dags_test(config, ready, dag, conf, tell)
        words.append(f"log {log}")
    return log


def _outcome(row: sa.Row[Any], began: datetime, log: Path, ready: Machine) -> Outcome:
    nothing_new = row.published_at is not None and row.published_at < began
    return Outcome(row.run_id, nothing_new, log, psql_line(settings.load(), ready))


def _absolute(dump: str) -> str:
    return dump if "://" in dump else str(Path(dump).expanduser().absolute())


def psql_line(config: Settings, ready: Machine) -> str:
    """The line that opens the published tables as the reader."""
    return f'{ready.server.psql} "$({airflow.bin_folder()}/sentiment db url --role reader)"'


def yesterday() -> date:
    """The last whole day in Paris."""
    return datetime.now(steps.PARIS).date() - timedelta(days=1)


def _check_sample_alone(asked: Mapping[str, Any]) -> None:
    """Raise ParameterError where a made-up night would replace a real one, or stand among them."""
    with transaction() as c:
        found = c.execute(sa.text(OWN_DUMP), {"source": asked["source"]}).scalar()
    if found or asked.get("supersede"):
        raise ParameterError(
            f"No dump is named, and made-up reviews are not published among {asked['source']}'s own"
            f"{f', like those of {found}' if found else ''}.",
            f"make nightly DUMP=… DATE={asked['night']}",
        )


SAMPLES = "dumps/sample-"
OWN_DUMP = f"""
SELECT d.uri FROM sentiment.run r JOIN sentiment.dump d USING (dump_id)
WHERE r.source = :source AND r.status = 'published' AND d.uri NOT LIKE '%/{SAMPLES}%' LIMIT 1"""


def _sample(config: Settings, asked: Mapping[str, Any], tell: Tell) -> Path:
    """A made-up dump of the night asked for. Raises ParameterError where it has no place."""
    _check_sample_alone(asked)
    path = config.home / f"{SAMPLES}{asked['night']}.jsonl"
    if not path.exists():
        with stage(tell, "Sample dump") as words:
            made = sample_dump.write(sample_dump.SampleDump(night=date.fromisoformat(asked["night"])), path)
            words.append(f"{made.records:,} made-up reviews in {path}")
    return path


def _dags_test(config: Settings, ready: Machine, dag: str, conf: dict[str, Any], tell: Tell) -> Path:
    which = f"nightly-{conf['night']}" if dag == DAG else f"requeue-{conf['run_id']}"
    log = config.home / "logs" / f"{which}-{datetime.now():%Y%m%dT%H%M%S}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    note = log.with_suffix(".failure.json")
    command = [str(airflow.bin_folder() / "airflow"), "dags", "test", dag, "--conf", json.dumps(conf)]
    env = {**ready.env, "SENTIMENT_FAILURE_NOTE": str(note), "COLUMNS": "200"}
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=env, stdout=out, stderr=subprocess.STDOUT, cwd=config.home)
        try:
            _follow(process, tell)
        except BaseException:
            airflow.end_tree(process.pid)
            raise
    if process.returncode:
        raise _failure(note, log)
    return log


def _follow(process: subprocess.Popen[bytes], tell: Tell) -> None:
    """Tell each step's start and end, as the ledger has them, until the process ends."""
    newest, told = _newest_token(), set[tuple[int, str]]()  # token and words
    while True:
        ended = process.poll() is not None
        for step in _steps_since(newest):
            mark = (step.token, _words(step))
            if mark not in told:
                told.add(mark)
                tell(f"  {step.step}: {_words(step)}")
        if ended:
            return
        time.sleep(POLL_S)


def _words(step: sa.Row[Any]) -> str:
    if step.state == "running":
        return f"{step.rows_done:,} of {step.rows_total:,} rows" if step.rows_total else "started"
    return f"{step.state} in {(step.finished_at - step.started_at).total_seconds():.1f} s"


def _newest_token() -> int:
    with transaction() as c:
        return int(c.execute(sa.text("SELECT coalesce(max(token), 0) FROM sentiment.run_step")).scalar_one())


def _steps_since(token: int) -> list[sa.Row[Any]]:
    with transaction() as c:
        rows = c.execute(
            sa.text(
                "SELECT token, step, state, rows_done, rows_total, started_at, finished_at FROM sentiment.run_step "
                "WHERE token > :token ORDER BY token"
            ),
            {"token": token},
        )
        return list(rows)


def _failure(note: Path, log: Path) -> SentimentError:
    """The failed task's own error; what Airflow refused before any task is found at the log's end."""
    if note.exists():
        told = json.loads(note.read_text("utf-8"))
        return from_record(told["kind"], f"{told['task']}: {told['message']}", told["try_next"] or f"less {log}")
    said = [line.strip() for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    refused = [line.partition(PARAM_REFUSED)[2] for line in said if PARAM_REFUSED in line]
    if refused:
        return ParameterError(f"Airflow refused the parameter {refused[-1]}.", "make help")
    return InfrastructureError(f"Airflow ended before any task failed: {(said or ['nothing said'])[-1]}", f"less {log}")


PARAM_REFUSED = "ParamValidationError: Invalid input for param "


def _run_of(conf: dict[str, Any]) -> sa.Row[Any]:
    with transaction() as c:
        return c.execute(
            sa.text(
                "SELECT run_id, published_at FROM sentiment.run WHERE night = :night AND model_id = :model "
                "AND source = :source AND status IN ('published', 'audited') "
                "ORDER BY status DESC, finished_at DESC LIMIT 1"
            ),
            conf,
        ).one()


def _requeue_of(old: Run) -> sa.Row[Any]:
    with transaction() as c:
        return c.execute(
            sa.text("SELECT run_id, published_at FROM sentiment.v_runs WHERE requeue_of = :old AND model_id = :model"),
            {"old": old.run_id, "model": old.model_id},
        ).one()
