"""acknowledge_alarm as Airflow sees it, and once through Airflow."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from sentiment.drift import alarms, reference, tracking
from sentiment.drift.alarms import Shown
from sentiment.drift.history import Stream
from sentiment.drift.simulate import Shift
from sentiment.embedded import airflow

from tests.dags import loading
from tests.kit import stored_nights
from tests.kit.stored_nights import AUDIENCE, FIRST, N_REFERENCE, simulated

STREAM = Stream("acknowledged", "acknowledged-model")
WHY = "Les critiques sont en grève"


@pytest.fixture(scope="module")
def dag(ready: object) -> Any:
    return loading.load("acknowledge_alarm")


@pytest.fixture
def alarmed(ready: object) -> Iterator[list[date]]:
    """Nights whose positive share fell, judged."""
    nights = stored_nights.put(STREAM, FIRST, AUDIENCE, simulated(Shift(share=-0.12)))
    reference.pin(STREAM, nights[0], nights[N_REFERENCE - 1])
    tracking.replay(STREAM, nights[N_REFERENCE], None)
    yield nights
    stored_nights.remove(STREAM)


def alarm_of_the_night() -> Shown:
    alarm_rows = [
        a for a in alarms.listed(STREAM.source, None, only_open=True) if "positive reviews fell" in a.sentence
    ]
    return alarm_rows[0]


def test_it_runs_on_demand_and_one_at_a_time(dag: Any) -> None:
    loading.assert_runs_on_demand_and_one_at_a_time(dag)


@pytest.mark.parametrize(
    ("name", "value"),
    [("alarm", None), ("alarm", "the last"), ("alarm", "0123'; DROP"), ("reason", ""), ("reason", None)],
)
def test_wrong_params_are_refused(dag: Any, name: str, value: object) -> None:
    loading.assert_refused(dag, name, value)


def test_an_alarm_is_acknowledged_through_airflow(airflow_env: dict[str, str], alarmed: list[date]) -> None:
    before = alarm_of_the_night()
    assert (before.status, before.reason) == ("alarm", None)
    conf = json.dumps({"alarm": before.alarm_id, "reason": WHY})
    command = [str(airflow.bin_folder() / "airflow"), "dags", "test", "acknowledge_alarm", "--conf", conf]
    done = subprocess.run(command, env=airflow_env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    after = next(a for a in alarms.listed(STREAM.source, None, only_open=True) if a.alarm_id == before.alarm_id)
    assert (after.status, after.reason) == ("acknowledged", WHY)
