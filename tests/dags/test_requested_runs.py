"""Which night a run stands for, and what a trigger's conf may hold; by Airflow's own code, the clock mocked."""

from __future__ import annotations

import json
import logging
import shlex
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from airflow.sdk.api.datamodels._generated import DagRunType
from sentiment.errors import ParameterError
from sentiment.orchestration import connections
from sentiment.orchestration.waiting import night_of

from tests.dags import contexts, loading

PARIS = ZoneInfo("Europe/Paris")
DAG_IDS = sorted(path.stem for path in loading.DAGS.glob("*.py"))
REQUIRED: dict[str, dict[str, object]] = {
    "acknowledge_alarm": {"alarm": "0123456789abcdef", "reason": "a strike"},
    "evaluate_model": {"labelled_set": "/data/set.jsonl"},
    "pin_reference": {"first": "2026-05-01", "last": "2026-10-31"},
    "requeue_quarantine": {"run_id": "20261122-1a2b3c4d"},
    "rescore_reviews": {"first": "2026-11-01", "last": "2026-11-22"},
}
"""DAG -> what its Params need."""


@pytest.fixture
def dag(ready: object) -> Any:
    return loading.load("nightly_reviews")


def paris(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS)


@pytest.mark.parametrize(
    ("now", "logical_date", "expected"),
    [
        pytest.param("2026-11-28T09:00", "2026-11-28T09:00", "2026-11-27", id="untouched form at 09:00"),
        pytest.param("2026-11-28T02:00", "2026-11-28T02:00", "2026-11-27", id="untouched form at 02:00"),
        pytest.param("2026-11-28T00:00", "2026-11-28T00:00", "2026-11-27", id="untouched form at midnight"),
        pytest.param("2026-11-28T09:00", "2026-11-20T00:00", "2026-11-20", id="picked day, at its midnight"),
        pytest.param("2026-11-28T09:00", "2026-11-20T23:59", "2026-11-20", id="picked day, at its end"),
        pytest.param("2026-11-28T09:00", "2026-11-27T09:00", "2026-11-27", id="picked yesterday"),
        pytest.param("2026-11-28T09:00", "2026-12-24T09:00", "2026-11-27", id="picked day to come"),
        pytest.param("2026-11-28T09:00", None, "2026-11-27", id="no logical date"),
        pytest.param("2026-11-28T02:00", None, "2026-11-27", id="no logical date, at 02:00"),
        pytest.param("2026-03-29T09:00", "2026-03-29T09:00", "2026-03-28", id="clocks go forward"),
        pytest.param("2026-10-25T09:00", "2026-10-25T09:00", "2026-10-24", id="clocks go back"),
    ],
)
def test_the_night_of_a_requested_run(dag: Any, now: str, logical_date: str | None, expected: str) -> None:
    context = contexts.requested(dag, paris(now), paris(logical_date) if logical_date else None)
    assert night_of(context) == date.fromisoformat(expected)


def test_the_param_night_wins(dag: Any) -> None:
    now = paris("2026-11-28T02:00")
    assert night_of(contexts.requested(dag, now, now, night="2026-11-22")) == date(2026, 11, 22)


@pytest.mark.parametrize("run_type", [DagRunType.SCHEDULED, DagRunType.BACKFILL])
@pytest.mark.parametrize(("first", "changes"), [("2026-11-20", False), ("2026-03-27", True), ("2026-10-23", True)])
def test_the_nights_of_the_timetable(dag: Any, run_type: DagRunType, first: str, changes: bool) -> None:
    day = date.fromisoformat(first)
    runs = contexts.timetabled(dag, run_type, paris(f"{day}T04:00"), paris(f"{day.replace(day=day.day + 3)}T04:00"))
    assert [night_of(context) for context in runs] == [day.replace(day=day.day + n) for n in range(4)]
    offsets = {context["dag_run"].data_interval_start.astimezone(PARIS).utcoffset() for context in runs}
    assert len(offsets) == 1 + changes


def test_the_log_begins_with_the_night(dag: Any, caplog: pytest.LogCaptureFixture) -> None:
    context = contexts.requested(dag, paris("2026-11-28T02:00"), paris("2026-11-28T02:00"), dump="/no/such/dump")
    with caplog.at_level(logging.INFO, "sentiment"), pytest.raises(Exception, match="/no/such/dump"):
        contexts.run_first_task(context)
    own = [record.getMessage() for record in caplog.records if record.name.startswith("sentiment")]
    # The very first may be what every task's log begins with.
    assert [message for message in own[:2] if "2026-11-27" in message]


def test_every_dag_is_tried() -> None:
    assert set(REQUIRED) < set(DAG_IDS)


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_an_unknown_key_is_refused_before_anything_else(
    ready: object, monkeypatch: pytest.MonkeyPatch, dag_id: str
) -> None:
    monkeypatch.setattr(connections, "use_connections", lambda: pytest.fail("the task has begun"))
    dag = loading.load(dag_id)
    known = sorted(dag.params)
    typo = known[0][0] + known[0][2:]
    conf = {**REQUIRED.get(dag_id, {}), typo: "x", "zzz": 1}
    with pytest.raises(ParameterError) as refused:
        contexts.run_first_task(contexts.requested(dag, datetime.now(UTC), None, **conf))
    assert f"{typo!r} (nearest: {known[0]})" in refused.value.message
    assert all(name in refused.value.message for name in ("'zzz'", *known))
    assert "zzz" not in refused.value.try_next
    assert refused.value.try_next.startswith(f"airflow dags trigger {dag_id} --conf ")


def test_the_mended_conf_can_be_typed(dag: Any, tmp_path: Path) -> None:
    context = contexts.requested(dag, datetime.now(UTC), None, dmp=f"{tmp_path}/l'été; rm -rf $HOME")
    with pytest.raises(ParameterError) as refused:
        contexts.run_first_task(context)
    *_, conf = shlex.split(refused.value.try_next)
    assert json.loads(conf) == {"dump": f"{tmp_path}/l'été; rm -rf $HOME"}
