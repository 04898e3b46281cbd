"""What is past its time is listed, removed once, and never what a live attempt works on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sentiment import settings
from sentiment.database import transaction
from sentiment.errors import InfrastructureError, ParameterError
from sentiment.orchestration import maintenance
from sentiment.runs import attempts, opening
from sentiment.runs.model import Run
from sentiment.schemas import STAGED
from sentiment.scoring import registry
from sentiment.store import retention
from sentiment.store.staging import Staging
from sentiment.workspace import Part, Workspace, run_key

from tests.kit import nights
from tests.kit.nights import NightSpec, publish_without_spark
from tests.kit.rows import LONG_AGO, copy_rows, remove_source, run_sql, scalar
from tests.orchestration.aging import age, kinds, maintained_twice, put

SOURCE = "maintained"


@pytest.fixture(autouse=True)
def model(server: object) -> None:
    registry.register(registry.find("cinema-fr", settings.load()))


@pytest.fixture
def published() -> Iterator[Run]:
    """A night superseded by another dump: both runs, their refused records, and kept versions."""
    night = date(2026, 5, 4)
    for seed, supersede in ((5, False), (6, True)):
        publish_without_spark(NightSpec(SOURCE, night, nights.dump(night, seed), supersede))
    for run in scalar("SELECT array_agg(run_id) FROM sentiment.run WHERE source = :s", s=SOURCE):
        for dataset in ("scored", "profile", "quarantined", "duplicate", "unread"):  # tests put their own parts
            Workspace().remove(dataset, run_key(night, run))
    run_id = scalar("SELECT run_id FROM sentiment.run WHERE source = :s AND status = 'superseded'", s=SOURCE)
    yield opening.get_run(str(run_id))
    remove_source(SOURCE)


@pytest.fixture
def old_model() -> Iterator[str]:
    """Another model, with one score."""
    copy_rows("model", "model_id", "cinema-fr", model_id="old", fingerprint="f", is_current=False)
    run_sql("INSERT INTO sentiment.review_sentiment (review_id, model_id, label, score, probabilities, n_wordpieces, "
            "n_chunks, text_hash, run_id) VALUES ('r', 'old', 'pos', 1, '{}', 1, 1, 't', 'r')")  # fmt: skip
    yield "old"
    run_sql("DELETE FROM sentiment.review_sentiment WHERE model_id = 'old'")
    run_sql("DELETE FROM sentiment.run WHERE model_id = 'old'")
    run_sql("DELETE FROM sentiment.model WHERE model_id = 'old'")


def test_staging_of_a_dead_attempt_goes_and_of_a_live_one_stays(published: Run) -> None:
    run = opening.open_run(published.night + timedelta(days=1), SOURCE, published.dump_id, "cinema-fr")
    with attempts.attempt(run.run_id, "publish") as live:
        Staging(run.run_id, live.token).create()
        assert "staging table of a dead attempt" not in kinds()
        run_sql("UPDATE sentiment.run_step SET heartbeat_at = :at WHERE token = :t", at=LONG_AGO, t=live.token)
        assert maintained_twice("staging table of a dead attempt") == len(STAGED)


def test_refused_records_of_every_superseded_run_of_the_night(published: Run, old_model: str) -> None:
    kind, other = "refused records of a superseded run", "20260504-0000beef"
    copy_rows("run", "run_id", published.run_id, run_id=other, model_id=old_model)
    copy_rows("quarantine", "run_id", published.run_id, run_id=other)
    refused = scalar("SELECT count(*) FROM sentiment.quarantine WHERE run_id = :r", r=published.run_id)
    assert kind not in kinds()
    run_sql("UPDATE sentiment.run SET published_at = :at WHERE supersedes = :r", at=LONG_AGO, r=published.run_id)
    count = "SELECT count(*) FROM sentiment.quarantine WHERE run_id IN (:r, :other)"
    assert maintained_twice(kind) == 2 * int(str(refused))
    assert scalar(count, r=published.run_id, other=other) == 0
    assert scalar("SELECT count(*) FROM sentiment.run WHERE run_id = :r", r=published.run_id) == 1


def test_payloads_of_refused_records_keep_reason_size_and_hash(published: Run) -> None:
    rows = scalar("SELECT count(*) FROM sentiment.quarantine")
    run_sql("UPDATE sentiment.run SET finished_at = :at WHERE run_id = :r", at=LONG_AGO, r=published.run_id)
    assert maintained_twice("payloads of refused records") > 0
    assert scalar("SELECT count(*) FROM sentiment.quarantine") == rows
    query = (
        "SELECT bool_and(raw = '' AND raw_bytes > 0 AND raw_sha256 <> '') FROM sentiment.quarantine WHERE run_id = :r"
    )
    assert scalar(query, r=published.run_id) is True


def test_what_a_stopped_run_refused_goes_payloads_first(published: Run, old_model: str) -> None:
    stopped = "20260504-0000dead"
    changes = {"run_id": stopped, "model_id": old_model, "status": "failed", "published_at": None}
    copy_rows("run", "run_id", published.run_id, **changes)
    copy_rows("quarantine", "run_id", published.run_id, run_id=stopped)
    run_sql("INSERT INTO sentiment.unread_value VALUES (:r, 0, 1, 'rating', '11', 'rating_in_range')", r=stopped)
    kinds_of = [f"{name} of a stopped run" for name in ("refused records", "unread values")]
    run_sql("UPDATE sentiment.run SET finished_at = now() WHERE run_id = :r", r=stopped)
    assert not set(kinds_of) & kinds().keys()
    run_sql("UPDATE sentiment.run SET finished_at = :at WHERE run_id = :r", at=LONG_AGO, r=stopped)
    listed = kinds()
    assert listed["payloads of refused records"] > 0
    assert listed["payloads of unread values"] == 1
    assert maintained_twice(kinds_of[0]) > 0
    for table in ("quarantine", "unread_value"):
        assert scalar(f"SELECT count(*) FROM sentiment.{table} WHERE run_id = :r", r=stopped) == 0  # noqa: S608


@pytest.mark.parametrize("status", ["published", "superseded", "failed", "audited", "running"])
def test_parts_of_runs_that_are_over(published: Run, status: str) -> None:
    workspace, key = Workspace(settings.load().lake), run_key(published.night, published.run_id)
    kind, run_id = "part of a finished run", published.run_id
    for name, where in (("scored", key), ("received", f"dump={published.dump_id}")):
        put(workspace, workspace.folder(name, where, 1))
        workspace.commit(name, where, 1, Part([f"{workspace.folder(name, where, 1)}/part.parquet"], 1, ""))
    run_sql("UPDATE sentiment.run SET status = 'failed' WHERE source = :s AND run_id <> :r", s=SOURCE, r=run_id)
    run_sql("UPDATE sentiment.run SET status = :status WHERE run_id = :r", status=status, r=run_id)
    assert kind not in kinds()
    age(run_id)
    with attempts.attempt(run_id, "score"):
        assert kind not in kinds()
    age(run_id)
    assert kinds()["records of a dump no run needs"] == 1
    assert maintained_twice(kind) == 1
    assert workspace.committed("scored", key) == workspace.committed("received", f"dump={published.dump_id}") == []


def test_what_is_needed_again_meanwhile_stays(published: Run) -> None:
    workspace, key, run_id = (
        Workspace(settings.load().lake),
        run_key(published.night, published.run_id),
        published.run_id,
    )
    put(workspace, workspace.folder("scored", key, 1))
    put(workspace, workspace.folder("received", f"dump={published.dump_id}", 0))
    file = f"{workspace.folder('received', f'dump={published.dump_id}', 0)}/part.parquet"
    workspace.commit("received", f"dump={published.dump_id}", 0, Part([file], 1, ""))
    age(run_id)
    leftovers = [leftover for leftover in maintenance.find() if leftover.kind in NIGHTLY]
    assert set(kinds(leftovers)) == NIGHTLY
    with attempts.attempt(run_id, "score"):
        assert [leftover.remove() for leftover in leftovers] == [False] * len(leftovers)
    assert workspace.committed("received", f"dump={published.dump_id}")
    assert workspace.exists(f"scored/{key}")
    assert scalar("SELECT bool_or(raw <> '') FROM sentiment.quarantine WHERE run_id = :r", r=run_id) is True
    age(run_id)
    assert set(kinds(maintenance.maintain(dry_run=False))) >= NIGHTLY


NIGHTLY = {"part of a finished run", "records of a dump no run needs", "payloads of refused records"}


def test_no_step_starts_while_its_night_is_removed(published: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace, key = Workspace(settings.load().lake), run_key(published.night, published.run_id)
    put(workspace, workspace.folder("scored", key, 1))
    age(published.run_id)
    remove, waited = Workspace.remove, []

    def removing(self: Workspace, dataset: str, key: str) -> None:
        with pytest.raises(InfrastructureError, match="lock"), transaction() as c:
            c.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
            query = "INSERT INTO sentiment.run_step (run_id, step, token, state) VALUES (:r, 'score', 0, 'running')"
            c.execute(sa.text(query), {"r": published.run_id})
        waited.append(key)
        remove(self, dataset, key)

    monkeypatch.setattr(Workspace, "remove", removing)
    maintenance.maintain(dry_run=False)
    assert waited == [key]


USED = "SELECT fingerprint FROM sentiment.model WHERE model_id = 'cinema-fr'"


def test_parts_of_killed_attempts(published: Run) -> None:
    workspace, live = Workspace(settings.load().lake), "scored/night=2026-05-04/run=20260504-0000feed"
    key = run_key(published.night, published.run_id)
    kinds_of = {
        "records of a killed ingest": "received/attempt=0a",
        "part of a run that is not recorded": "scored/night=2020-01-01/run=20200101-00000000",
        "part of a killed attempt": f"scored/{key}/token=1/chunk=0",
    }
    put(workspace, "received/attempt=0b")
    put(workspace, "received/attempt=0c", old=True)
    workspace.commit("received", f"dump={published.dump_id}", 0, Part(["received/attempt=0c/part.parquet"], 1, ""))
    put(workspace, f"{live}/token=1/chunk=0")
    cache = f"fingerprint={scalar(USED)}"
    put(workspace, f"score_cache/{cache}/token=1/chunk=0", old=True)
    workspace.commit("score_cache", cache, 1, Part([], 1, ""))
    for folder in kinds_of.values():
        put(workspace, folder)
    assert not kinds_of.keys() & kinds().keys()
    for folder in kinds_of.values():
        os.utime(workspace.local(f"{folder}/part.parquet"), (0, 0))
    with attempts.attempt(published.run_id, "score") as attempt:
        mine = put(workspace, workspace.folder("scored", key, attempt.token), old=True)
        leftovers = [leftover for leftover in maintenance.find() if leftover.kind in kinds_of]
        assert {leftover.kind: leftover.where for leftover in leftovers} == kinds_of
        maintenance.maintain(dry_run=False)
        assert mine.exists()
    assert [folder for folder in kinds_of.values() if workspace.exists(folder)] == []
    remaining = ("received/attempt=0b", "received/attempt=0c", live, f"score_cache/{cache}/token=1/chunk=0")
    assert [folder for folder in remaining if not workspace.exists(folder)] == []
    shutil.rmtree(workspace.root)


def test_part_of_a_killed_evaluation() -> None:
    workspace = Workspace(settings.load().lake)
    old, young = (f"evaluated/evaluation={name}/scores/token=0/chunk=0" for name in ("old", "young"))
    put(workspace, old, old=True)
    put(workspace, young)
    assert [leftover.where for leftover in maintenance.maintain(dry_run=False)] == [old]
    assert (workspace.exists(old), workspace.exists(young)) == (False, True)
    shutil.rmtree(workspace.root)


def test_score_caches_that_no_model_uses(old_model: str) -> None:
    workspace, kind = Workspace(settings.load().lake), "score cache no model uses"
    for fingerprint in ("f", "g", "h"):
        put(workspace, f"score_cache/fingerprint={fingerprint}/token=1/chunk=0", old=fingerprint != "h")
    (leftover,) = (entry for entry in maintenance.find() if entry.kind == kind)
    assert leftover.where == "score_cache/fingerprint=g"
    run_sql("UPDATE sentiment.model SET fingerprint = 'g' WHERE model_id = 'old'")
    assert not leftover.remove()
    run_sql("UPDATE sentiment.model SET fingerprint = 'f' WHERE model_id = 'old'")
    assert maintained_twice(kind) == 1
    assert [workspace.exists(f"score_cache/fingerprint={f}") for f in ("f", "g", "h")] == [True, False, True]
    shutil.rmtree(workspace.root)


def test_copies_of_networks_that_no_job_has_used_for_long() -> None:
    served, kind = settings.load().models_served, "copy of a network, long unused"
    for name in ("f.1", "g.1", "killed"):
        (served / name).mkdir(parents=True)
        (served / name / "model.onnx").touch()
        os.utime(served / name, (0, 0))
    leftovers = {Path(leftover.where).name: leftover for leftover in maintenance.find() if leftover.kind == kind}
    assert set(leftovers) == {"f.1", "g.1", "killed"}
    os.utime(served / "f.1")
    assert not leftovers["f.1"].remove(), "used meanwhile"
    assert maintained_twice(kind) == 2
    assert [name for name in ("f.1", "g.1", "killed") if (served / name).exists()] == ["f.1"]
    shutil.rmtree(served / "f.1")


def test_scores_of_a_retired_model(old_model: str) -> None:
    kind = "scores of a retired model"
    registry.retire(old_model)
    assert kind not in kinds()
    run_sql("UPDATE sentiment.model SET retired_at = :at WHERE model_id = 'old'", at=LONG_AGO)
    assert maintained_twice(kind) == 1
    registry.retire(old_model, undo=True)
    assert scalar("SELECT retired_at FROM sentiment.model WHERE model_id = 'old'") is None


def test_a_retired_model_whose_scores_are_gone_is_not_taken_back(published: Run, old_model: str) -> None:
    shown = {"status": "published", "rows_published": 1}
    copy_rows("run", "run_id", published.run_id, run_id="old-run", model_id="old", **shown)
    registry.retire(old_model)
    with pytest.raises(ParameterError, match=old_model):
        registry.retire(old_model, undo=True)


def test_a_model_taken_back_meanwhile_keeps_its_scores(old_model: str) -> None:
    workspace, cache = Workspace(settings.load().lake), "score_cache/fingerprint=f/token=1/chunk=0"
    put(workspace, cache)
    workspace.commit("score_cache", "fingerprint=f", 1, Part([f"{cache}/part.parquet"], 1, ""))
    run_sql("UPDATE sentiment.model SET retired_at = :at WHERE model_id = 'old'", at=LONG_AGO)
    leftovers = [leftover for leftover in maintenance.find() if "retired" in leftover.kind]
    assert set(kinds(leftovers)) == {"scores of a retired model", "score cache of a retired model"}
    registry.retire(old_model, undo=True)
    assert [leftover.remove() for leftover in leftovers] == [False, False]
    assert scalar("SELECT count(*) FROM sentiment.review_sentiment WHERE model_id = 'old'") == 1
    run_sql("UPDATE sentiment.model SET retired_at = :at WHERE model_id = 'old'", at=LONG_AGO)
    assert [leftover.remove() for leftover in leftovers] == [True, True]
    assert not workspace.exists(cache)


def test_no_model_is_taken_back_while_its_scores_are_removed(old_model: str) -> None:
    run_sql("UPDATE sentiment.model SET retired_at = :at WHERE model_id = 'old'", at=LONG_AGO)
    refused = []

    def after(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if "DELETE FROM sentiment.review_sentiment" in statement:
            with pytest.raises(InfrastructureError, match="lock"), transaction("owner") as c:
                c.exec_driver_sql("SELECT 1 FROM sentiment.model WHERE model_id = 'old' FOR UPDATE NOWAIT")
            refused.append(statement)

    sa.event.listen(sa.Engine, "after_cursor_execute", after)
    try:
        maintenance.maintain(dry_run=False)
    finally:
        sa.event.remove(sa.Engine, "after_cursor_execute", after)
    assert refused


def test_a_retired_model_scores_no_more(published: Run, old_model: str) -> None:
    run = opening.open_run(published.night, SOURCE + "_old", published.dump_id, old_model)
    registry.retire(old_model)
    for _ in range(2):
        with pytest.raises(ParameterError, match=old_model) as refused, attempts.attempt(run.run_id, "score"):
            pytest.fail("the step has begun")
        assert refused.value.try_next == "sentiment model retire --undo old"
    query = (
        "SELECT error_kind, error, try_next FROM sentiment.run_step WHERE run_id = :run_id AND step = 'score' "
        "ORDER BY token DESC LIMIT 1"
    )
    with transaction() as c:
        kind, message, try_next = c.execute(sa.text(query), {"run_id": run.run_id}).one()
    assert (kind, try_next) == ("ParameterError", "sentiment model retire --undo old")
    assert old_model in message
    run_sql("DELETE FROM sentiment.run_step WHERE run_id = :r", r=run.run_id)


def test_a_retired_model_is_not_registered_again(old_model: str) -> None:
    model = registry.Model(old_model, Path("/nowhere"), ("neg", "pos"), "f")
    registry.register(model)
    registry.retire(old_model)
    with pytest.raises(ParameterError, match="'old'") as refused:
        registry.register(model)
    assert refused.value.try_next == "sentiment model retire --undo old"


def test_a_table_is_gone_through_once(published: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    many = """
INSERT INTO sentiment.quarantine (run_id, file_no, record_no, reasons, details, raw, raw_bytes, raw_sha256, byte_offset)
SELECT :r, 9, n, '{x}', 'x', 'x', 1, 'x', 0 FROM generate_series(1, 5000) n"""
    run_sql(many, r=published.run_id)
    run_sql("UPDATE sentiment.run SET finished_at = :at WHERE run_id = :r", at=LONG_AGO, r=published.run_id)
    monkeypatch.setattr(retention, "BATCH_BLOCKS", 2)
    (leftover,) = (entry for entry in maintenance.find() if entry.kind == "payloads of refused records")
    plans: list[str] = []

    def explain(_c: object, cursor: Any, statement: str, *_: object) -> None:
        if "UPDATE sentiment.quarantine" in statement:
            probe = cursor.connection.cursor()
            probe.execute(b"EXPLAIN " + cursor.query)
            plans.append("\n".join(row[0] for row in probe.fetchall()))

    sa.event.listen(sa.Engine, "after_cursor_execute", explain)
    try:
        assert leftover.remove()
    finally:
        sa.event.remove(sa.Engine, "after_cursor_execute", explain)
    assert len(plans) > 10
    assert {"Seq Scan on quarantine" in plan for plan in plans} == {False}


@pytest.mark.parametrize("model_id", ["cinema-fr", "none"], ids=["current", "unknown"])
def test_models_that_may_not_be_retired(model_id: str) -> None:
    with pytest.raises(ParameterError, match=model_id):
        registry.retire(model_id)


def test_months_are_created_ahead_and_old_ones_dropped() -> None:
    run_sql("SELECT sentiment.ensure_month('2020-01-15')")
    assert "month of night_review" in kinds()
    maintenance.maintain(dry_run=False)
    assert "month of night_review" not in kinds()
    ahead = (
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'sentiment.night_review'::regclass AND "
        "inhrelid::regclass::text = 'sentiment.night_review_' || to_char(now() + interval '2 months', 'YYYYMM')"
    )
    assert scalar(ahead) == 1


def test_the_dag_lists_and_removes_nothing(airflow_env: dict[str, str], published: Run) -> None:
    run_sql("UPDATE sentiment.run SET finished_at = :at WHERE run_id = :r", at=LONG_AGO, r=published.run_id)
    command = [str(Path(sys.executable).parent / "airflow"), "dags", "test", "maintain_store"]
    done = subprocess.run(command, env=airflow_env, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "would remove" in done.stdout + done.stderr
    assert kinds()["payloads of refused records"] > 0
