"""A night that fails before its run is opened is recorded, once, without what it quotes of its dump."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.execution_time.context import set_current_context
from sentiment import settings
from sentiment.errors import DumpRefusedError, InfrastructureError
from sentiment.orchestration import unopened
from sentiment.runs import attempts, opening
from sentiment.runs.model import DumpFile
from sentiment.scoring import registry
from sentiment.settings import Settings

from tests.dags import contexts, loading
from tests.kit.rows import LONG_AGO, remove_source, rows, run_sql
from tests.orchestration.aging import kinds, maintained_twice

SOURCE, NIGHT = "unopened", date(2026, 11, 20)
REVIEW = "Un film bouleversant, magnifique, que je recommande"


@pytest.fixture
def dag(ready: object) -> Any:
    return loading.load("nightly_reviews")


@pytest.fixture(autouse=True)
def _no_rows(server: object) -> Iterator[None]:
    yield
    run_sql("DELETE FROM sentiment.unopened_run")
    remove_source(SOURCE)


def requested(dag: Any, **conf: object) -> Any:
    now = datetime.now(UTC)
    return contexts.requested(dag, now, now, **{"source": SOURCE, "night": str(NIGHT), **conf})


def recorded() -> list[Any]:
    return rows("SELECT * FROM sentiment.v_unopened_runs ORDER BY failed_at")


@pytest.mark.parametrize(
    ("conf", "kind"),
    [
        ({"dump": "/no/such/dump.jsonl"}, "DumpNotFoundError"),
        ({"dump": "empty.jsonl"}, "DumpUnreadableError"),
        ({"dump": "headless.csv"}, "DumpRefusedError"),
        ({"dump": "twice.csv"}, "DumpRefusedError"),
        ({"dump": "empty.jsonl", "night": "2999-01-01"}, "ParameterError"),
        ({"dump": "empty.jsonl", "supersede": True}, "ParameterError"),
        ({"dump": "empty.jsonl", "profile": "none"}, "ParameterError"),
        ({"dump": "empty.jsonl", "dmp": "typo"}, "ParameterError"),
        ({"dump": "empty.jsonl", "model": "unknown"}, "ParameterError"),
    ],
)
def test_it_is_recorded(dag: Any, tmp_path: Path, conf: dict[str, Any], kind: str) -> None:
    for name, text in (("empty.jsonl", ""), ("headless.csv", f"{REVIEW}\n"), ("twice.csv", f"{REVIEW},{REVIEW}\n")):
        (tmp_path / name).write_text(text, "utf-8")
    dump, night = str(tmp_path / conf["dump"]), conf.get("night", str(NIGHT))
    context = requested(dag, **{**conf, "dump": dump})
    error: Any = contexts.fail_before_run(context)
    (row,) = recorded()
    assert (row.dag_id, row.airflow_run_id) == ("nightly_reviews", context["dag_run"].run_id)
    assert (str(row.night), row.source, row.dump_uri) == (night, SOURCE, dump)
    assert (row.error_kind, row.try_next) == (kind, error.try_next)
    assert row.error[:20] == error.message[:20]
    assert not [part for part in REVIEW.split(", ") if part in str(row)]
    assert datetime.now(UTC) - row.failed_at < timedelta(minutes=1)


def test_without_a_dump_the_address_is_where_it_was_looked_for(dag: Any) -> None:
    context = requested(dag)
    context["dag_run"].start_date = LONG_AGO
    contexts.fail_before_run(context)
    (row,) = recorded()
    assert (row.dump_uri, row.error_kind) == (settings.load().dumps.format(night=NIGHT), "DumpNotFoundError")


def test_a_night_that_waits_has_not_failed(dag: Any) -> None:
    context = requested(dag)
    with set_current_context(context):
        assert context["task"].poke(context).is_done is False
    assert recorded() == []


def test_the_newest_failure_of_a_run_in_airflow_stays(dag: Any, tmp_path: Path) -> None:
    dump = tmp_path / "dump.jsonl"
    context = requested(dag, dump=str(dump))
    contexts.fail_before_run(context)
    dump.touch()
    contexts.fail_before_run(context)
    assert [row.error_kind for row in recorded()] == ["DumpUnreadableError"]


def test_a_database_that_is_down_masks_nothing(
    dag: Any, set_settings: Callable[..., Settings], caplog: pytest.LogCaptureFixture
) -> None:
    set_settings(database_url="postgresql://writer:x@127.0.0.1:1/reviews")
    with caplog.at_level(logging.WARNING, "sentiment"):
        error = contexts.fail_before_run(requested(dag, dump="/no/such/dump.jsonl"))
    assert isinstance(error, InfrastructureError)
    assert "sentiment.orchestration.unopened" in {record.name for record in caplog.records}


@pytest.mark.parametrize("error", [ValueError(REVIEW), "Task killed externally", None])
def test_of_any_other_error_the_text_may_not_be_stored(dag: Any, error: object) -> None:
    unopened.record(requested(dag, dump="/data/dump.jsonl") | {"exception": error})
    (row,) = recorded()
    assert REVIEW not in row.error
    assert ("ValueError" in row.error) == isinstance(error, ValueError)


@pytest.fixture
def run_id(server: object) -> str:
    """A run with a dump, opened by a run in Airflow."""
    registry.register(registry.find("cinema-fr", settings.load()))
    opening.record_dump("unopened", SOURCE, "/data/its.jsonl", [DumpFile(0, "x", "0" * 64, "jsonl", "none", 1, 1)])
    return opening.open_run(NIGHT, SOURCE, "unopened", "cinema-fr", "manual__opened").run_id


def test_what_the_runs_attempt_has_recorded_is_not_recorded_twice(dag: Any, run_id: str) -> None:
    context = requested(dag, dump="/data/its.jsonl")
    context["dag_run"].run_id = "manual__opened"
    stopped = DumpRefusedError("row_count: 3 records")
    with pytest.raises(DumpRefusedError), attempts.attempt(run_id, "ingest"):
        raise stopped
    for error in (stopped, None):
        unopened.record(context | {"exception": error})
        assert recorded() == []
    # Cleared, and failed before the run was opened again.
    unopened.record(context | {"exception": InfrastructureError("the bucket does not answer")})
    assert [row.error for row in recorded()] == ["the bucket does not answer"]


def test_a_requeue_is_recorded_with_the_night_of_its_run(ready: object, run_id: str) -> None:
    dag, now = loading.load("requeue_quarantine"), datetime.now(UTC)
    for n, (requeued, dry_run) in enumerate(((run_id, True), (run_id, False), ("20000101-00000000", False))):
        conf = {"run_id": requeued, "reason": "why", "dry_run": dry_run}
        contexts.fail_before_run(contexts.requested(dag, now + timedelta(seconds=n), None, **conf))
    assert [(row.dag_id, row.night, row.source, row.dump_uri) for row in recorded()] == [
        ("requeue_quarantine", NIGHT, SOURCE, "/data/its.jsonl"),
        ("requeue_quarantine", None, None, None),
    ]


def test_it_goes_with_retention(dag: Any) -> None:
    kind = "nights that failed without a run"
    for n in range(2):
        unopened.record(requested(dag, dump=f"/data/{n}.jsonl") | {"exception": InfrastructureError("x")})
    assert kind not in kinds()
    run_sql("UPDATE sentiment.unopened_run SET failed_at = :at WHERE dump_uri = '/data/1.jsonl'", at=LONG_AGO)
    assert maintained_twice(kind) == 1
    assert [row.dump_uri for row in recorded()] == ["/data/0.jsonl"]
