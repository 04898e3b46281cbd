"""The DAG that pins a reference: asked for by hand, with Params that refuse what can't be meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import ParamValidationError

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture(scope="module")
def dag(ready: object) -> Any:
    bag = DagBag(str(DAGS / "pin_reference.py"))
    assert bag.import_errors == {}
    return bag.dags["pin_reference"]


def test_it_runs_only_when_asked_and_one_at_a_time(dag: Any) -> None:
    assert (dag.schedule, dag.max_active_runs, dag.catchup) == (None, 1, False)
    assert all(task.execution_timeout for task in dag.tasks)
    assert dag.doc_md


@pytest.mark.parametrize(
    ("name", "value"),
    [("first", None), ("first", "May"), ("last", "31/10/2026"), ("source", "No Way"), ("model", "../x"),
     ("budget", 0), ("budget", 53), ("budget", "one")],
)  # fmt: skip
def test_wrong_params_are_refused(dag: Any, name: str, value: object) -> None:
    param = dag.params.get_param(name)
    assert param.description
    with pytest.raises(ParamValidationError):
        param.resolve(value)


@pytest.mark.parametrize(("name", "value"), [("first", "2026-05-01"), ("budget", 0.5), ("source", "allocine")])
def test_right_params_are_taken(dag: Any, name: str, value: object) -> None:
    assert dag.params.get_param(name).resolve(value) == value
