"""Make the demo in a home and a database of its own, and start Airflow's UI on it."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from sentiment import settings
from sentiment.demo import publishing, scoring, story
from sentiment.demo.home import FORMER_MODEL, MODEL, SOURCE
from sentiment.demo.story import DemoNight
from sentiment.drift import alarms, reference
from sentiment.drift.history import Stream
from sentiment.embedded import airflow, machine
from sentiment.embedded.machine import Machine, Progress, stage
from sentiment.embedded.postgres import Server
from sentiment.errors import InfrastructureError, SetupError, log_end
from sentiment.local.nights import yesterday
from sentiment.orchestration import rescoring
from sentiment.runs import outcome
from sentiment.runs.handoff import CanaryPrediction
from sentiment.runtime import spark
from sentiment.scoring import registry
from sentiment.settings import Settings
from sentiment.workspace import Workspace

DONE = "is_complete"
"""Key of `demo.json`: whether all is published."""
SHOWN = re.compile(r"INFO sentiment\.jobs: ((?:judged|scored) .*)")
"""Lines of a job's log that are its progress."""


def make(progress: Progress) -> tuple[str, list[str]]:
    """Make the demo where it is not complete, and start its UI, in the settings of `at_home`.

    Returns the page's address and what drift has named. A demo that was ended in between goes on with the night it
    was in.
    """
    ready = machine.prepare(settings.load(), progress)
    _hurry(ready.server)
    settings.load.cache_clear()
    config = settings.load()
    marker = config.home / "demo.json"
    state = json.loads(marker.read_text("utf-8")) if marker.exists() else {}
    last = date.fromisoformat(state["last_night"]) if state else yesterday()
    with ThreadPoolExecutor(1) as threads:
        # While nights are published, which takes one core.
        ui = partial(threads.submit, _start_ui, _with_free_port(config), ready)
        if state.get(DONE):
            started = ui()
        else:
            marker.write_text(json.dumps({"last_night": last.isoformat()}), "utf-8")
            started = _publish_all(config, story.nights(last, config.home), ui, progress)
            marker.write_text(json.dumps({"last_night": last.isoformat(), DONE: True}), "utf-8")
        with stage(progress, "Airflow's UI"):
            address = started.result()
    return address, named()


def _hurry(server: Server) -> None:
    """Let the demo's server commit without waiting for the disk: a crash costs some nights, which are made again."""
    engine = sa.create_engine(server.url("postgres").replace("postgresql://", "postgresql+psycopg2://", 1))
    with engine.begin() as c:
        c.exec_driver_sql("ALTER DATABASE reviews SET synchronous_commit = off")
    engine.dispose()


def _publish_all(
    config: Settings, nights: list[DemoNight], start_ui: Callable[[], Future[str]], progress: Progress
) -> Future[str]:
    """Write, score and publish the nights; return the UI's start, which goes on meanwhile."""
    with stage(progress, f"Dumps of {len(nights)} nights") as remarks:
        for night in nights:
            if not night.dump.exists():
                story.write_dump(night)
        remarks.append(f"{sum(1 for night in nights for _ in night.dump.open('rb')):,} made-up reviews")
    former = config.models / FORMER_MODEL
    if not former.exists():
        shutil.copytree(registry.find(MODEL, config).folder, former)
    with TemporaryDirectory(prefix="all-nights-", dir=config.home) as scratch:
        scored = _scored(config, Workspace(scratch), nights, progress)
        started = start_ui()
        first = nights[: story.FIRST_MODEL_NIGHTS]
        with stage(progress, f"{len(first)} nights by {FORMER_MODEL}, and once more by {MODEL}"):
            runs = [publishing.publish(night, SOURCE, replace(scored, model=FORMER_MODEL)) for night in first]
            for night, run in zip(first, runs, strict=True):
                publishing.publish_again(night, run, scored)
            rescoring.use(MODEL)
        with stage(progress, f"{len(nights) - len(first)} nights by {MODEL}"):
            _publish_rest(nights, scored, progress)
    return started


def _publish_rest(nights: list[DemoNight], scored: publishing.AllNights, progress: Progress) -> None:
    stream = Stream(SOURCE, MODEL)
    for night in nights[story.FIRST_MODEL_NIGHTS :]:
        run = publishing.publish(night, SOURCE, scored)
        if night.number == story.REFERENCE_NIGHTS - 1:
            pinned = reference.pin(stream, nights[0].night, night.night)
            progress(f"  {night.night}: reference {pinned.reference_id} of {story.REFERENCE_NIGHTS} nights")
        elif night.number % 20 == 0:
            progress(f"  {run.verdict}")


def _scored(
    config: Settings, workspace: Workspace, nights: list[DemoNight], progress: Progress
) -> publishing.AllNights:
    """Have Spark judge and score all nights."""
    dumps = nights[0].dump.with_name("sample-*.jsonl")
    values = {
        "workspace": workspace.root, "model": MODEL, "source": SOURCE, "dumps": dumps,
        "last-night": nights[-1].night,
    }  # fmt: skip
    with stage(progress, f"{len(nights)} nights judged and scored by {MODEL} on Spark"):
        predictions = _run_job(config, [f"--{name}={value}" for name, value in values.items()], progress)
    return publishing.load(workspace, MODEL, [CanaryPrediction.model_validate(one) for one in predictions])


def _run_job(config: Settings, arguments: list[str], progress: Progress) -> list[object]:
    log = config.home / "logs" / "demo-scoring.log"
    with TemporaryDirectory() as temporary:
        path = Path(temporary) / "outcome.json"
        command = [sys.executable, "-m", scoring.__name__, *arguments, "--outcome", str(path)]
        env = {**os.environ, **config.resolved_paths(), **spark.environment(config)}
        with (
            log.open("w") as out,
            subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as job,
        ):
            assert job.stdout is not None
            for line in job.stdout:
                out.write(line)
                if match := SHOWN.match(line):
                    progress(f"  {match[1]}")
        ending = outcome.read(path)
    if ending is None:
        raise InfrastructureError(
            f"The job that scores the demo's nights ended by exit code {job.returncode}.", log_end(log)
        )
    if ending.error:
        raise ending.error.error()
    assert isinstance(ending.result, list)
    return list(ending.result)


def named() -> list[str]:
    """Return what drift has named, the night of each alarm before its sentence: of whole nights, and of films."""
    listed = sorted(alarms.listed(SOURCE, since=None, only_open=False), key=lambda alarm: alarm.opened)
    return [f"{alarm.opened}: {alarm.sentence}" for alarm in listed]


def _start_ui(config: Settings, ready: Machine) -> str:
    """Start Airflow's UI; return the address of the pages."""
    airflow.up(config, airflow.environment(config, machine.airflow_url(config, ready.server)), lambda _: None)
    return f"http://127.0.0.1:{config.airflow_port}/plugin/sentiment"


def _with_free_port(config: Settings) -> Settings:
    """Return the settings with the configured port, or a free one where the UI of the demo's owner has it."""
    marker = config.home / "airflow" / "port.json"
    if airflow.processes(config, services_only=True) and marker.exists():
        return config.model_copy(update={"airflow_port": int(json.loads(marker.read_text("utf-8")))})
    port = config.airflow_port
    try:
        airflow.check_port(port)
    except SetupError:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    marker.write_text(json.dumps(port), "utf-8")
    return config.model_copy(update={"airflow_port": port})
