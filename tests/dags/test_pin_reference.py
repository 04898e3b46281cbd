"""The DAG that pins a reference: asked for by hand, with Params that refuse what can't be meant."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dags import loading


@pytest.fixture(scope="module")
def dag(ready: object) -> Any:
    return loading.load("pin_reference")


def test_it_runs_on_demand_and_one_at_a_time(dag: Any) -> None:
    loading.assert_runs_on_demand_and_one_at_a_time(dag)


@pytest.mark.parametrize(
    ("name", "value"),
    [("first", None), ("first", "May"), ("last", "31/10/2026"), ("source", "No Way"), ("model", "../x"),
     ("budget", 0), ("budget", 53), ("budget", "one")],
)  # fmt: skip
def test_wrong_params_are_refused(dag: Any, name: str, value: object) -> None:
    loading.assert_refused(dag, name, value)


@pytest.mark.parametrize(("name", "value"), [("first", "2026-05-01"), ("budget", 0.5), ("source", "allocine")])
def test_right_params_are_taken(dag: Any, name: str, value: object) -> None:
    assert dag.params.get_param(name).resolve(value) == value
