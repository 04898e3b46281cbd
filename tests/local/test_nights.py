"""A night on this machine ends with the run that its DAG opened, or with the error of the task that failed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sentiment import settings
from sentiment.embedded import airflow, machine
from sentiment.errors import InfrastructureError, ProgramError
from sentiment.local import nights
from sentiment.orchestration import requeueing
from sentiment.orchestration.requeueing import Requeue
from sentiment.runs.outcome import Outcome
from sentiment.scoring import registry

from tests.kit import nights as small_nights
from tests.kit.nights import NightSpec, publish_without_spark
from tests.kit.rows import rows

NIGHT = date(2026, 5, 4)


@pytest.fixture
def airflow_ends(
    config: Any, ready: machine.Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[Outcome, int], None]:
    """Return a function that lets `airflow` be a script which writes an outcome and ends with an exit code."""
    monkeypatch.setattr(airflow, "command", lambda: [str(tmp_path / "airflow")])
    monkeypatch.setattr(machine, "prepare", lambda *_: ready)

    def script(ending: Outcome | None, code: int) -> None:
        (tmp_path / "ending").write_text(ending.model_dump_json() if ending else "", "utf-8")
        write = f"cp {tmp_path}/ending $SENTIMENT_FAILURE_NOTE" if ending else "true"
        (tmp_path / "airflow").write_text(f"#!/bin/sh\necho $@\n{write}\nexit {code}\n", "utf-8")
        (tmp_path / "airflow").chmod(0o755)

    return script


@pytest.fixture
def published(config: Any) -> str:
    """Return the id of a published run, which is newer than any other of its night."""
    registry.register(registry.find("cinema-fr", settings.load()))
    publish_without_spark(NightSpec("returned", NIGHT, small_nights.dump(NIGHT, 5)))
    return str(rows("SELECT run_id FROM sentiment.run WHERE source = 'returned' AND status = 'published'")[0][0])


def run_night() -> nights.Outcome:
    return nights.run({"night": NIGHT.isoformat(), "source": "returned", "dump": "/dumps/other.jsonl"}, lambda _: None)


def test_the_run_comes_back_from_the_dag_itself(
    published: str, airflow_ends: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requeueing, "plan", lambda _: SimpleNamespace(summary=str))
    for run_id, nothing_new in (("20260504-0a0a0a0a", False), (published, True)):
        airflow_ends(Outcome(result={"run_id": run_id, "nothing_new": nothing_new}), 0)
        ended = run_night()
        assert (ended.run_id, ended.nothing_new) == (run_id, nothing_new)
        requeued = nights.requeue(Requeue(published, reason="mended"), lambda _: None)
        assert (requeued.run_id, requeued.nothing_new) == (run_id, nothing_new)


def test_a_night_that_names_no_run_is_an_infrastructure_error(airflow_ends: Any) -> None:
    airflow_ends(None, 0)
    with pytest.raises(InfrastructureError) as raised:
        run_night()
    assert Path(shlex.split(raised.value.try_next)[-1]).is_file()


def test_an_error_of_the_program_names_task_and_log(airflow_ends: Any) -> None:
    airflow_ends(Outcome.of_error(KeyError("text"), task="score"), 1)
    with pytest.raises(ProgramError, match=r"score: .*KeyError") as raised:
        run_night()
    log = Path(shlex.split(raised.value.try_next)[-1])
    assert json.dumps({"night": NIGHT.isoformat()})[1:-1] in log.read_text("utf-8")
