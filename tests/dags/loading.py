"""DAGs by their file's name, and what a Param refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import ParamValidationError

DAGS = Path(__file__).parents[2] / "dags"


def load(name: str) -> Any:
    """The DAG of `dags/<name>.py`, which imports without an error."""
    bag = DagBag(str(DAGS / f"{name}.py"))
    assert bag.import_errors == {}
    return bag.dags[name]


def assert_runs_on_demand_and_one_at_a_time(dag: Any) -> None:
    """And every task has a timeout, and the DAG a page."""
    assert (dag.schedule, dag.max_active_runs, dag.catchup) == (None, 1, False)
    assert all(task.execution_timeout for task in dag.tasks)
    assert dag.doc_md


def assert_refused(dag: Any, name: str, value: object) -> None:
    """The Param is described, and doesn't take the value."""
    param = dag.params.get_param(name)
    assert param.description
    with pytest.raises(ParamValidationError):
        param.resolve(value)
