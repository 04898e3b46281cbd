"""Which attempt may write, and what the ledger records of runs and attempts."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa
from sentiment import settings
from sentiment.database import transaction
from sentiment.errors import DumpRefusedError, ParameterError, StaleAttemptError
from sentiment.runs import attempts, opening
from sentiment.runs.handoff import JudgedNight, ScoredNight
from sentiment.runs.model import DumpFile
from sentiment.scoring import registry


@pytest.fixture
def run_id(server: object, request: pytest.FixtureRequest) -> str:
    registry.register(registry.find("cinema-fr", settings.load()))
    dump_id = request.node.name
    opening.record_dump(dump_id, "ledger", "test", [DumpFile(0, "test", "0" * 64, "jsonl", "none", 1, 1)])
    return opening.open_run(date(2026, 7, 1), "ledger", dump_id, "cinema-fr").run_id


def test_the_same_identity_is_the_same_run(run_id: str) -> None:
    run = opening.get_run(run_id)
    assert opening.open_run(run.night, run.source, run.dump_id, run.model_id).run_id == run_id


def test_a_failure_is_recorded_and_a_new_attempt_clears_it(run_id: str) -> None:
    with pytest.raises(DumpRefusedError), attempts.attempt(run_id, "validate"):
        raise DumpRefusedError("half of it is broken", "look at it")
    query = "SELECT error_kind, error, try_next, state FROM sentiment.run_step WHERE run_id = :run_id"
    with transaction() as c:
        row = tuple(c.execute(sa.text(query), {"run_id": run_id}).one())
    assert row == ("DumpRefusedError", "half of it is broken", "look at it", "failed")
    run = opening.get_run(run_id)
    assert (run.status, run.verdict) == ("failed", "half of it is broken")
    with attempts.attempt(run_id, "validate") as attempt:
        attempt.counts["accepted"] = 7
        assert opening.get_run(run_id).status == "running"
    assert opening.get_run(run_id).counts["accepted"] == 7


def test_only_the_newest_start_may_finish(run_id: str) -> None:
    with pytest.raises(StaleAttemptError), attempts.attempt(run_id, "score") as old:
        old.counts["scored"] = 1
        with attempts.attempt(run_id, "score") as new:
            new.counts["scored"] = 2
    assert opening.get_run(run_id).counts["scored"] == 2
    assert opening.get_run(run_id).status == "running"
    assert attempts.finished(run_id, "score").token == new.token > old.token


def test_what_a_failed_attempt_had_until_then_is_stored(run_id: str) -> None:
    with pytest.raises(DumpRefusedError), attempts.attempt(run_id, "validate") as attempt:
        attempt.handoff = JudgedNight(rules=["readable"])
        attempt.progress(3, 9, {"left_s": 2})
        raise DumpRefusedError("half of it is broken")
    with transaction() as c:
        query = sa.text("SELECT detail FROM sentiment.run_step WHERE token = :token")
        stored = c.execute(query, {"token": attempt.token}).scalar_one()
    assert stored == {"rules": ["readable"], "left_s": 2}
    with pytest.raises(ParameterError):
        attempts.finished(run_id, "validate")


def test_a_finished_attempt_hands_on_its_model(run_id: str) -> None:
    with attempts.attempt(run_id, "score") as attempt:
        attempt.handoff = ScoredNight(novelty_base_run=run_id)
    finished = attempts.finished(run_id, "score")
    assert (finished.token, finished.handoff(ScoredNight)) == (attempt.token, attempt.handoff)


def test_progress_is_seen_while_it_works(run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setattr(attempts, "HEARTBEAT_S", 0.05)
    with attempts.attempt(run_id, "score") as attempt:
        attempt.progress(30, 100)
        query = sa.text("SELECT rows_done, rows_total, state FROM sentiment.run_step WHERE token = :token")
        deadline, seen = time.monotonic() + 20, (0, 0, "running")
        while seen != (30, 100, "running") and time.monotonic() < deadline:
            with transaction() as c:
                seen = tuple(c.execute(query, {"token": attempt.token}).one())
        assert seen == (30, 100, "running")
