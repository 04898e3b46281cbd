"""evaluate_model as Airflow sees it, and once through Airflow."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowSkipException
from sentiment.database import transaction

from tests.dags import loading
from tests.evaluation import models

OWN = Path(__file__).parents[1] / "golden" / "own-sentences.jsonl"
N_RECORDS = 50


@pytest.fixture(scope="module")
def dag(ready: object) -> DAG:
    loaded: DAG = loading.load("evaluate_model")
    return loaded


def test_the_set_is_checked_before_spark_starts(dag: DAG) -> None:
    order: Any = dag.topological_sort()  # type: ignore[no-untyped-call]
    assert [task.task_id for task in order] == ["find_set", "evaluate", "evaluate_against", "report"]
    assert [t.task_id for t in dag.tasks if t.pool == "spark"] == ["evaluate", "evaluate_against"]
    assert all(task.execution_timeout for task in dag.tasks)
    tasks: Any = dag.task_dict
    assert tasks["evaluate"].application_args[::2] == ["--set", "--model", "--mistakes"]
    assert tasks["evaluate_against"].application_args[::2] == ["--set", "--model", "--mistakes", "--against"]
    assert {Path(tasks[name].application).name for name in ("evaluate", "evaluate_against")} == {"evaluate.py"}
    assert (dag.max_active_runs, dag.catchup) == (1, False)
    assert dag.doc_md


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("labelled_set", None),
        ("labelled_set", ""),
        ("labelled_set", "a\nb"),
        ("model", "../secret"),
        ("against", "two words"),
        ("labels", "stars"),
        ("name", ""),
        ("profile", "No Way"),
        ("encoding", "../x"),
        ("mistakes", -1),
        ("mistakes", 101),
        ("mistakes", "ten"),
    ],
)
def test_wrong_params_are_refused(dag: DAG, name: str, value: object) -> None:
    loading.assert_refused(dag, name, value)


@pytest.mark.parametrize(
    ("name", "value"), [("against", None), ("labels", None), ("labels", "rating"), ("mistakes", 0)]
)
def test_right_params_are_taken(dag: DAG, name: str, value: object) -> None:
    params: Any = dag.params
    assert params.get_param(name).resolve(value) == value


def test_without_another_model_nothing_is_compared(dag: DAG) -> None:
    loaded = {"set": "{}", "model": "cinema-fr", "against": None, "mistakes": 10}
    task: Any = dag.task_dict["evaluate_against"]
    with pytest.raises(AirflowSkipException, match="no other model"):
        task.execute({"ti": SimpleNamespace(xcom_pull=lambda **_: loaded)})


@pytest.fixture
def second(ready: object) -> Iterator[str]:
    with models.opposite() as model:
        yield model


def test_two_models_through_airflow(
    airflow_env: dict[str, str], second: str, warm_nights: None, tmp_path: Path
) -> None:
    lines = OWN.read_text("utf-8").splitlines()[:N_RECORDS]
    (tmp_path / "set.jsonl").write_text("\n".join(lines), "utf-8")
    conf = {
        "labelled_set": str(tmp_path / "set.jsonl"),
        "model": "cinema-fr",
        "against": second,
        "name": "through the DAG",
        "mistakes": 1,
    }
    airflow = str(Path(sys.executable).parent / "airflow")
    command = [airflow, "dags", "test", "evaluate_model", "--conf", json.dumps(conf)]
    done = subprocess.run(command, env=airflow_env, capture_output=True, text=True, check=False, timeout=400)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output[-3000:]
    assert f"cinema-fr on through the DAG: {N_RECORDS} records" in output
    assert "weighted avg" in output
    golden = [json.loads(line) for line in lines]
    right = sum((g["pos"] >= 0.5) == (g["polarity"] == 1) for g in golden)
    assert f"alone is right in {right}, {second} alone in {N_RECORDS - right}" in output
    query = "SELECT count(*) FROM sentiment.evaluation WHERE set_name = 'through the DAG'"
    with transaction("reader") as c:
        assert c.execute(sa.text(query)).scalar_one() == 2
