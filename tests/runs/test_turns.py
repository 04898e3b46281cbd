"""One night of a source at a time is between ingest and publish."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from sentiment import settings
from sentiment.database import transaction
from sentiment.errors import DataError, InfrastructureError, NightAtWorkError, SentimentError
from sentiment.orchestration.dag_defaults import LONGEST_RETRY_DELAY
from sentiment.runs import attempts, opening, turns
from sentiment.runs.model import DumpFile
from sentiment.scoring import registry

from tests.kit.rows import age, remove_source, run_sql

SOURCE, NIGHT, OTHER = "turns", date(2026, 7, 1), date(2026, 7, 2)


@pytest.fixture
def run_id(server: object) -> Iterator[str]:
    registry.register(registry.find("cinema-fr", settings.load()))
    for dump_id in ("turn 1", "turn 2"):
        opening.record_dump(dump_id, SOURCE, "test", [DumpFile(0, "test", "0" * 64, "jsonl", "none", 1, 1)])
    yield opening.open_run(NIGHT, SOURCE, "turn 1", "cinema-fr", alone=True).run_id
    remove_source(SOURCE)


def is_free(night: date | None = OTHER, run_id: str = "", source: str = SOURCE) -> bool:
    try:
        with transaction() as c:
            turns.check(c, source, night, run_id)
    except NightAtWorkError:
        return False
    return True


def attempt(run_id: str, step: str, error: SentimentError | None = None) -> None:
    try:
        with attempts.attempt(run_id, step):
            if error:
                raise error
    except SentimentError:
        pass


def test_another_night_waits_and_another_source_does_not(run_id: str) -> None:
    assert not is_free()
    assert is_free(source="another")
    attempt(run_id, "ingest")
    assert not is_free()


def test_a_nights_own_runs_are_in_nobodys_way(run_id: str) -> None:
    assert is_free(NIGHT)
    assert is_free(None, run_id)
    assert not is_free(None, "another")


def test_a_run_is_opened_in_its_turn_only(run_id: str) -> None:
    assert opening.open_run(NIGHT, SOURCE, "turn 1", "cinema-fr", alone=True).run_id == run_id
    for night, dump_id in ((OTHER, "turn 1"), (NIGHT, "turn 2")):
        with pytest.raises(NightAtWorkError, match=run_id):
            opening.open_run(night, SOURCE, dump_id, "cinema-fr", alone=True)
    run_sql("UPDATE sentiment.run SET status = 'published' WHERE run_id = :r", r=run_id)
    assert opening.open_run(OTHER, SOURCE, "turn 1", "cinema-fr", alone=True).status == "running"


@pytest.mark.parametrize("status", ["published", "superseded"])
def test_a_night_that_is_over_is_in_nobodys_way(run_id: str, status: str) -> None:
    attempt(run_id, "ingest")
    run_sql("UPDATE sentiment.run SET status = :s WHERE run_id = :r", r=run_id, s=status)
    assert is_free()


def test_an_audited_night_goes_on_but_after_a_dry_run(run_id: str) -> None:
    attempt(run_id, "audit")
    opening.set_status(run_id, "audited")
    assert not is_free()
    opening.set_status(run_id, "audited", "a dry run")
    assert is_free()


@pytest.mark.parametrize("silent_min", [11, 13])
def test_an_interrupted_night_is_not_waited_for(run_id: str, silent_min: int) -> None:
    attempt(run_id, "validate")
    age(run_id, timedelta(minutes=silent_min))
    assert is_free() == (silent_min > 12)


@pytest.mark.parametrize("silent_s", [turns.SILENT_S - 10, turns.SILENT_S + 10])
def test_a_killed_attempt_is_not_waited_for_long(run_id: str, silent_s: int) -> None:
    attempt(run_id, "score")
    run_sql("UPDATE sentiment.run_step SET state = 'running', finished_at = NULL WHERE run_id = :r", r=run_id)
    age(run_id, timedelta(seconds=silent_s))
    assert is_free() == (silent_s > turns.SILENT_S)


@pytest.mark.parametrize(
    ("error", "silent", "free"),
    [
        (DataError("x"), timedelta(0), True),
        (InfrastructureError("x"), timedelta(0), False),
        (InfrastructureError("x"), LONGEST_RETRY_DELAY - timedelta(seconds=10), False),
        (InfrastructureError("x"), LONGEST_RETRY_DELAY + timedelta(seconds=10), True),
    ],
)
def test_a_failed_night_is_waited_for_while_it_will_be_tried_again(
    run_id: str, error: SentimentError, silent: timedelta, free: bool
) -> None:
    attempt(run_id, "score", error)
    age(run_id, silent)
    assert is_free() == free


def test_a_rescored_night_is_in_nobodys_way(run_id: str) -> None:
    attempt(run_id, "rescore")
    assert is_free()
