"""The DAG as Airflow sees it: its order, its Params, its timetable, its nights, and what is tried again."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.exceptions import ParamValidationError
from sentiment.errors import DataError, DumpRefusedError, InfrastructureError, ParameterError, StaleAttemptError
from sentiment.ledger import STEPS
from sentiment.orchestration.airflow_side import RETRY_POLICY, night_of

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture(scope="module")
def dag(ready: object) -> DAG:
    bag = DagBag(str(DAGS))
    assert bag.import_errors == {}
    assert {Path(d.fileloc).name for d in bag.dags.values()} == {p.name for p in DAGS.glob("*.py")}
    found: Any = bag.dags["nightly_reviews"]
    return found  # type: ignore[no-any-return]


def test_the_night_reads_left_to_right(dag: DAG) -> None:
    order: Any = dag.topological_sort()  # type: ignore[no-untyped-call]
    assert [task.task_id for task in order] == list(STEPS)
    for before, after in pairwise(STEPS):
        assert after in dag.task_dict[before].downstream_task_ids


def test_every_task_has_a_timeout_and_spark_has_one_place(dag: DAG) -> None:
    assert all(task.execution_timeout for task in dag.tasks)
    assert {t.task_id for t in dag.tasks if t.pool == "spark"} == {"ingest", "validate", "score", "publish"}
    assert [t.task_id for t in dag.tasks if t.outlets] == ["publish"]
    assert (dag.max_active_runs, dag.catchup) == (1, False)
    assert dag.doc_md


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
        ("reason", "x" * 501),
    ],
)
def test_wrong_params_are_refused(dag: DAG, name: str, value: object) -> None:
    params: Any = dag.params
    assert params.get_param(name).description
    with pytest.raises(ParamValidationError):
        params.get_param(name).resolve(value)


def context(night: str | None, start: datetime | None, after: datetime) -> Any:
    return {"params": {"night": night}, "dag_run": SimpleNamespace(data_interval_start=start, run_after=after)}


@pytest.mark.parametrize(
    ("night", "start", "after", "expected"),
    [
        ("2026-11-22", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), date(2026, 11, 22)),
        (None, datetime(2026, 11, 22, 3, tzinfo=UTC), datetime(2026, 11, 23, 3, tzinfo=UTC), date(2026, 11, 22)),
        # 23:30 UTC is already the next day in Paris
        (None, datetime(2026, 6, 1, 23, 30, tzinfo=UTC), datetime(2026, 6, 3, tzinfo=UTC), date(2026, 6, 2)),
        (None, None, datetime(2026, 11, 23, 12, tzinfo=UTC), date(2026, 11, 22)),
        # the nights on which clocks change
        (None, datetime(2026, 3, 28, 3, tzinfo=UTC), datetime(2026, 3, 29, 2, tzinfo=UTC), date(2026, 3, 28)),
        (None, datetime(2026, 10, 24, 2, tzinfo=UTC), datetime(2026, 10, 25, 3, tzinfo=UTC), date(2026, 10, 24)),
    ],
)
def test_the_night_of_a_run(night: str | None, start: datetime | None, after: datetime, expected: date) -> None:
    assert night_of(context(night, start, after)) == expected


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (DataError("x"), RetryAction.FAIL),
        (DumpRefusedError("x"), RetryAction.FAIL),
        (ParameterError("x"), RetryAction.FAIL),
        (InfrastructureError("x"), RetryAction.DEFAULT),
        (StaleAttemptError("x"), RetryAction.FAIL),
        (OSError("x"), RetryAction.DEFAULT),
    ],
)
def test_only_infrastructure_is_tried_again(error: Exception, action: RetryAction) -> None:
    assert RETRY_POLICY.evaluate(error, 1, 2).action is action
