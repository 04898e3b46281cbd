"""The DAG as Airflow sees it: its order, its Params, and what is tried again."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models.taskinstance import TaskInstance
from airflow.sdk import DAG
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.exceptions import AirflowException, ParamValidationError
from sentiment.errors import (
    DataError,
    DumpRefusedError,
    InfrastructureError,
    ParameterError,
    ProgramError,
    StaleAttemptError,
)
from sentiment.orchestration import connections, night_tasks, steps, task_log
from sentiment.orchestration.dag_defaults import LONGEST_RETRY_DELAY, RETRY_POLICY
from sentiment.runs import outcome
from sentiment.runs.model import STEPS

from tests.dags import contexts

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture(scope="module")
def dags(ready: object) -> dict[str, Any]:
    bag = DagBag(str(DAGS))
    assert bag.import_errors == {}
    assert {Path(d.fileloc).name for d in bag.dags.values()} == {p.name for p in DAGS.glob("*.py")}
    return dict(bag.dags)


@pytest.fixture(scope="module")
def dag(dags: dict[str, DAG]) -> DAG:
    return dags["nightly_reviews"]


NIGHTS = pytest.mark.parametrize("dag_id", ["nightly_reviews", "requeue_quarantine"])


@NIGHTS
def test_tasks_follow_the_steps_in_order(dags: dict[str, Any], dag_id: str) -> None:
    order: Any = dags[dag_id].topological_sort()
    assert [task.task_id for task in order] == list(STEPS)
    for before, after in pairwise(STEPS):
        assert after in dags[dag_id].task_dict[before].downstream_task_ids


@NIGHTS
def test_every_task_has_a_timeout_and_spark_jobs_share_a_pool(dags: dict[str, DAG], dag_id: str) -> None:
    dag = dags[dag_id]
    assert all(task.execution_timeout for task in dag.tasks)
    assert {t.task_id for t in dag.tasks if t.pool == "spark"} == {"validate", "score"}
    assert [t.task_id for t in dag.tasks if t.outlets] == ["publish"]
    assert all(task.on_failure_callback and task.retry_policy is RETRY_POLICY for task in dag.tasks)
    assert all(task.weight_rule == "upstream" for task in dag.tasks if task.pool == "spark")
    assert dag.catchup is False
    assert dag.doc_md


def test_a_night_that_waits_holds_neither_a_worker_nor_the_only_run(dags: dict[str, Any]) -> None:
    assert dags["nightly_reviews"].max_active_runs > 1
    waiting = [dags[dag_id].task_dict[task] for dag_id, task in (
        ("nightly_reviews", "find_dump"), ("nightly_reviews", "ingest"), ("requeue_quarantine", "ingest"),
    )]  # fmt: skip
    assert all(task.reschedule for task in waiting)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("night", "22/11/2026"),
        ("source", "Two Words"),
        ("dump", ""),
        ("dump", "a\nb"),
        ("model", "../secret"),
        ("dry_run", "yes"),
        ("sentences", "yes"),
        ("supersede", 1),
        ("allow", "row_count"),
        ("allow", ["size"]),
        ("allow", ["row_count", "row_count"]),
        ("reason", "x" * 501),
    ],
)
def test_wrong_params_are_refused(dag: DAG, name: str, value: object) -> None:
    params: Any = dag.params
    assert params.get_param(name).description
    with pytest.raises(ParamValidationError):
        params.get_param(name).resolve(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("run_id", "20261122"),
        ("run_id", "x; DROP"),
        ("run_id", None),
        ("reason", ""),
        ("profile", "No Way"),
        ("encoding", "../x"),
        ("allow", ["everything"]),
        ("dry_run", "no"),
    ],
)
def test_wrong_params_of_a_requeue_are_refused(dags: dict[str, Any], name: str, value: object) -> None:
    params = dags["requeue_quarantine"].params
    assert params.get_param(name).description
    assert params.get_param("dry_run").value is True
    with pytest.raises(ParamValidationError):
        params.get_param(name).resolve(value)


def test_the_report_returns_the_run_to_whoever_waits(
    dag: DAG, monkeypatch: pytest.MonkeyPatch, set_settings: Any, tmp_path: Path
) -> None:
    set_settings(failure_note=tmp_path / "note")
    for name, address in {"REVIEWS_DB": "postgresql://nobody@nowhere/none", "SPARK_CLUSTER": "spark://s"}.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", address)
    context = {"params": {"dry_run": True}, "dag": dag, "dag_run": SimpleNamespace(conf=None)}
    for module in (connections, night_tasks):
        monkeypatch.setattr(module, "get_current_context", lambda: context)
    monkeypatch.setattr(steps, "report", lambda *_: "a paragraph")
    monkeypatch.setattr(task_log, "of_run", lambda *_: {})
    run, tasks = {"run_id": "20260101-00000000", "nothing_new": False}, dag.task_dict
    report: Any = tasks["report"]
    assert report.python_callable(run) == "a paragraph"
    noted = outcome.read(tmp_path / "note")
    assert noted is not None
    assert (noted.result, noted.error) == (run, None)


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (DataError("x"), RetryAction.FAIL),
        (DumpRefusedError("x"), RetryAction.FAIL),
        (ParameterError("x"), RetryAction.FAIL),
        (InfrastructureError("x"), RetryAction.DEFAULT),
        (StaleAttemptError("x"), RetryAction.FAIL),
        (OSError("x"), RetryAction.DEFAULT),
        (AirflowException("x"), RetryAction.DEFAULT),
        (ProgramError("x"), RetryAction.FAIL),
        (KeyError("x"), RetryAction.FAIL),
    ],
)
def test_only_infrastructure_is_tried_again(error: Exception, action: RetryAction) -> None:
    assert RETRY_POLICY.evaluate(error, 1, 2).action is action


def test_the_longest_retry_delay_is_airflows(dag: Any) -> None:
    next_retry: Any = TaskInstance.next_retry_datetime
    task, end = contexts.serialized(dag).task_dict["validate"], datetime(2026, 11, 28, tzinfo=UTC)
    delays = [
        next_retry(
            SimpleNamespace(
                task=task, try_number=number, dag_id=f"dag {n}", task_id="validate", logical_date=None, end_date=end,
                retry_delay_override=None,
            )
        ) - end
        for number in range(1, task.retries + 1)
        for n in range(200)
    ]  # fmt: skip
    assert LONGEST_RETRY_DELAY * 0.9 < max(delays) <= LONGEST_RETRY_DELAY
