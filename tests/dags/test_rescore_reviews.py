"""rescore_reviews as Airflow sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture(scope="module")
def dag(ready: object) -> DAG:
    bag = DagBag(str(DAGS / "rescore_reviews.py"))
    assert bag.import_errors == {}
    found: Any = bag.dags["rescore_reviews"]
    return found  # type: ignore[no-any-return]


def test_nights_are_found_before_spark_starts(dag: DAG) -> None:
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
    params: Any = dag.params
    assert params.get_param(name).description
    with pytest.raises(ParamValidationError):
        params.get_param(name).resolve(value)
