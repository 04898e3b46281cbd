"""A Spark job's task raises what that very submission reported."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.exceptions import AirflowException, AirflowSkipException
from sentiment.errors import DumpRefusedError, InfrastructureError, OutOfMemoryError, SentimentError, SetupError
from sentiment.orchestration import task_log
from sentiment.orchestration.dag_defaults import RETRY_POLICY
from sentiment.orchestration.spark_tasks import SparkStep
from sentiment.runs import opening, outcome
from sentiment.runs.outcome import Outcome
from sentiment.runtime import spark
from sentiment.settings import Settings

from tests.dags import loading

RUN = {"run_id": "20260101-00000000", "nothing_new": False}


class Cluster:
    """Stands for the cluster: each submission ends like the next of `endings`, None: its driver dies."""

    def __init__(self, endings: list[Outcome | None]) -> None:
        self.endings = endings
        self.paths: list[Path] = []

    def execute(self, task: SparkStep, _: object) -> None:
        path = path_of(task)
        assert not path.exists()
        self.paths.append(path)
        ending = self.endings.pop(0)
        if ending is not None:
            outcome.write(path, ending)
        if ending is None or ending.error is not None:
            raise AirflowException("spark-submit ended with 1")


@pytest.fixture
def connected(home: Path, monkeypatch: pytest.MonkeyPatch, set_settings: Callable[..., Settings]) -> pytest.MonkeyPatch:
    set_settings(database_url="postgresql://nobody@nowhere/none", spark_master="local[1]")
    monkeypatch.setenv("AIRFLOW_CONN_REVIEWS_DB", "postgresql://nobody@nowhere/none")
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_CLUSTER", json.dumps({"conn_type": "spark", "host": "local[1]"}))
    monkeypatch.setattr(spark, "conf", lambda *_, **__: {})
    monkeypatch.setattr(spark, "environment", lambda _: {})
    monkeypatch.setattr(task_log, "of_run", lambda *_: {})
    monkeypatch.setattr(opening, "get_run", lambda _: SimpleNamespace(counts={"read": 7}))
    return monkeypatch


def submit(cluster: Cluster, patch: pytest.MonkeyPatch, **context: Any) -> None:
    def execute(task: SparkStep, context: object) -> None:
        cluster.execute(task, context)

    patch.setattr(SparkSubmitOperator, "execute", execute)
    run: Any = {"ti": SimpleNamespace(xcom_pull=lambda **_: {**RUN, **context}), "params": {}}
    SparkStep(step="score").execute(run)


def test_a_job_that_reports_success_is_done(connected: pytest.MonkeyPatch) -> None:
    cluster = Cluster([Outcome()])
    submit(cluster, connected)
    assert not cluster.paths[0].parent.exists()


def test_a_job_is_submitted_by_the_settings_for_its_number_of_rows(connected: pytest.MonkeyPatch) -> None:
    connected.setattr(spark, "conf", lambda _, rows, **__: {"rows": str(rows)})
    task = SparkStep(step="score")
    connected.setattr(SparkSubmitOperator, "execute", lambda *_: outcome.write(path_of(task), Outcome()))
    task.execute(CONTEXT)
    assert task.conf == {"rows": "7"}


def path_of(task: SparkStep) -> Path:
    arguments: list[str] = list(task.application_args or [])
    return Path(arguments[arguments.index("--outcome") + 1])


def test_an_older_attempts_error_is_never_a_newer_ones(connected: pytest.MonkeyPatch) -> None:
    cluster = Cluster([Outcome.of_error(DumpRefusedError("half of it is broken", "look")), None])
    with pytest.raises(DumpRefusedError):
        submit(cluster, connected)
    with pytest.raises(InfrastructureError) as raised:
        submit(cluster, connected)
    assert not isinstance(raised.value, DumpRefusedError)
    assert "score" in raised.value.message
    assert not raised.value.try_next  # else `make nightly` would not show the command for its own log
    assert cluster.paths[0] != cluster.paths[1]


@pytest.fixture
def spark_submit(connected: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Return a function that lets `spark-submit` be a shell script, which finds the outcome's path in $OUTCOME."""
    connected.setenv("PATH", str(tmp_path), prepend=":")

    def script(body: str) -> None:
        path = tmp_path / "spark-submit"
        path.write_text(f'#!/bin/sh\nwhile [ "$1" != --outcome ]; do shift; done\nOUTCOME=$2\n{body}\n', "utf-8")
        path.chmod(0o755)

    return script


CONTEXT: Any = {"ti": SimpleNamespace(xcom_pull=lambda **_: RUN), "params": {"dry_run": False}}


def failed(task: Any) -> Exception:
    with pytest.raises(SentimentError) as raised:
        task.execute(CONTEXT)
    return raised.value


REFUSED = Outcome.of_error(DumpRefusedError("half of it is broken", "look")).model_dump_json()


@pytest.mark.parametrize(
    ("ending", "kind"),
    [("exit 1", InfrastructureError), ("exit 134", InfrastructureError), ("kill -9 $$", OutOfMemoryError)],
)
def test_a_driver_that_dies_before_python_begins_is_tried_again(
    spark_submit: Callable[[str], None], ending: str, kind: type[Exception]
) -> None:
    task = SparkStep(step="score")
    spark_submit(f"echo '{REFUSED}' > $OUTCOME; exit 3")
    assert type(failed(task)) is DumpRefusedError
    spark_submit(f"echo Java; {ending}")
    error = failed(task)
    assert type(error) is kind
    assert RETRY_POLICY.evaluate(error, 2, 2).action is RetryAction.DEFAULT
    assert "--conf" not in str(error)
    spark_submit(f"echo '{Outcome().model_dump_json()}' > $OUTCOME")
    task.execute(CONTEXT)  # the next try reports to a file of its own


@pytest.mark.parametrize("dag_id", ["nightly_reviews", "requeue_quarantine"])
def test_a_dead_driver_of_a_night_is_noted_as_what_it_is(
    spark_submit: Callable[[str], None],
    ready: object,
    dag_id: str,
    tmp_path: Path,
    set_settings: Callable[..., Settings],
) -> None:
    set_settings(failure_note=tmp_path / "note.json")
    spark_submit("exit 1")
    task = loading.load(dag_id).task_dict["score"]
    for callback in task.on_failure_callback:
        callback({"exception": failed(task), "ti": SimpleNamespace(task_id="score")})
    noted = outcome.read(tmp_path / "note.json")
    assert noted is not None
    assert noted.error is not None
    assert (noted.task, noted.error.kind) == ("score", "InfrastructureError")


def test_a_published_dump_starts_no_job(connected: pytest.MonkeyPatch) -> None:
    with pytest.raises(AirflowSkipException):
        submit(Cluster([]), connected, nothing_new=True)


def test_a_driver_on_another_machine_is_refused(connected: pytest.MonkeyPatch) -> None:
    other = {"conn_type": "spark", "host": "spark://s", "extra": {"deploy-mode": "cluster"}}
    connected.setenv("AIRFLOW_CONN_SPARK_CLUSTER", json.dumps(other))
    with pytest.raises(SetupError) as raised:
        submit(Cluster([]), connected)
    assert "deploy-mode" in raised.value.try_next
