"""What `v_runs.status` derives from a run's stored status, its attempts and the time since their last sign of life."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from sentiment import settings
from sentiment.orchestration.dag_defaults import LONGEST_RETRY_DELAY
from sentiment.runs import attempts, listing, opening
from sentiment.runs.model import DumpFile
from sentiment.scoring import registry

from tests.kit.rows import age, remove_source, run_sql, scalar

SOURCE, NIGHT = "status", date(2026, 7, 1)
ALIVE = timedelta(minutes=attempts.LIVE_MINUTES) + LONGEST_RETRY_DELAY
JUST_ALIVE, JUST_DEAD = ALIVE - timedelta(seconds=30), ALIVE + timedelta(seconds=1)


@pytest.fixture
def run_id(server: object) -> Iterator[str]:
    registry.register(registry.find("cinema-fr", settings.load()))
    opening.record_dump("status", SOURCE, "test", [DumpFile(0, "test", "0" * 64, "jsonl", "none", 1, 1)])
    yield opening.open_run(NIGHT, SOURCE, "status", "cinema-fr").run_id
    remove_source(SOURCE)


@pytest.mark.parametrize(
    ("stored", "verdict", "silent", "expected"),
    [
        ("running", None, JUST_ALIVE, "running"),
        ("running", None, JUST_DEAD, "interrupted"),
        ("audited", None, JUST_ALIVE, "audited"),
        ("audited", None, JUST_DEAD, "interrupted"),
        ("audited", "a dry run", JUST_DEAD, "audited"),
        ("published", None, JUST_DEAD, "published"),
        ("superseded", None, JUST_DEAD, "superseded"),
        ("failed", "why", JUST_DEAD, "failed"),
    ],
)
def test_without_a_sign_of_life_a_run_is_interrupted(
    run_id: str, stored: str, verdict: str | None, silent: timedelta, expected: str
) -> None:
    with attempts.attempt(run_id, "ingest"):
        pass
    age(run_id, silent)
    run_sql("UPDATE sentiment.run SET status = :s, verdict = :v WHERE run_id = :r", s=stored, v=verdict, r=run_id)
    assert listing.status_of_run(run_id) == expected
    assert scalar("SELECT status FROM sentiment.run WHERE run_id = :r", r=run_id) == stored


def test_a_run_of_which_no_attempt_began(run_id: str) -> None:
    assert listing.status_of_run(run_id) == "running"
    age(run_id, JUST_DEAD)
    assert listing.status_of_run(run_id) == "interrupted"


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["DumpRefusedError"], "stopped"),
        (["InfrastructureError", "DumpRefusedError"], "stopped"),
        (["DumpRefusedError", "InfrastructureError"], "failed"),
        (["CanaryMovedError"], "failed"),
    ],
)
def test_a_run_that_a_batch_check_refused_is_stopped(run_id: str, kinds: list[str], expected: str) -> None:
    from sentiment.errors import SentimentError, from_record

    for kind in kinds:
        with pytest.raises(SentimentError), attempts.attempt(run_id, "validate"):
            raise from_record(kind, "why")
    assert listing.status_of_run(run_id) == expected
    (run,) = listing.newest_runs(1)
    assert (run.run_id, run.status) == (run_id, expected)
    with attempts.attempt(run_id, "validate"):
        assert listing.status_of_run(run_id) == "running"
