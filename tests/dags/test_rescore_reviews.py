"""rescore_reviews as Airflow sees it."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import DAG

from tests.dags import loading


@pytest.fixture(scope="module")
def dag(ready: object) -> DAG:
    loaded: DAG = loading.load("rescore_reviews")
    return loaded


def test_nights_are_listed_before_spark_starts(dag: DAG) -> None:
    order: Any = dag.topological_sort()  # type: ignore[no-untyped-call]
    assert [task.task_id for task in order] == ["find_nights", "rescore", "report"]
    assert [t.task_id for t in dag.tasks if t.pool == "spark"] == ["rescore"]
    assert all(task.execution_timeout for task in dag.tasks)
    rescore: Any = dag.task_dict["rescore"]
    assert rescore.application_args[::2] == ["--model", "--source", "--from", "--to"]
    assert (dag.max_active_runs, dag.catchup) == (1, False)


@pytest.mark.parametrize(
    ("name", "value"),
    [("first", "22/11/2026"), ("last", None), ("model", "../secret"), ("source", "Two Words")],
)
def test_wrong_params_are_refused(dag: DAG, name: str, value: object) -> None:
    loading.assert_refused(dag, name, value)
