"""Where a requeue reads its records, which requests it refuses, and one through Spark from end to end."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from sentiment import settings
from sentiment.database import transaction
from sentiment.dump import profiles
from sentiment.errors import DumpNotFoundError, DumpRefusedError, InfrastructureError, ParameterError, SetupError
from sentiment.orchestration import ingesting, maintenance, requeueing, summary
from sentiment.orchestration.requeueing import Requeue
from sentiment.runs import attempts, opening
from sentiment.runs.handoff import ReceivedDump
from sentiment.runs.model import Run
from sentiment.sql import statement
from sentiment.store import forgetting, publishing, quarantine
from sentiment.workspace import Workspace

from tests.dump import workbooks
from tests.kit import nights, oracle
from tests.kit.nights import NightSpec, run_all_steps
from tests.kit.rows import remove_source, rows
from tests.orchestration.aging import age

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NIGHT = date(2026, 4, 13)
_NUMBERS = count(1)


class Scene:
    """A dump of its own, received by ingest and published without Spark, with a few records refused."""

    def __init__(self, folder: Path) -> None:
        self.source, self.workspace, self.folder = f"again_{next(_NUMBERS)}", Workspace(), folder
        self.dump = Path(shutil.copy(nights.dump(NIGHT, 1), folder / "dump.jsonl"))

    def publish(self, uri: Path | None = None, **options: Any) -> Run:
        self.dump = uri if uri and uri.is_file() else self.dump
        request = ingesting.Request(NIGHT, self.source, nights.MODEL, str(uri or self.dump), reason="asked", **options)
        return self.merge(ingesting.ingest(request).run_id)

    def merge(self, run_id: str) -> Run:
        run = opening.get_run(run_id)
        with attempts.attempt(run_id, "publish") as attempt:
            publishing.merge(run, attempt, nights.stage(run, attempt, NightSpec(self.source, NIGHT, self.dump)))
        return opening.get_run(run_id)

    def empty_workspace(self, run: Run) -> None:
        self.workspace.remove("received", f"dump={run.dump_id}")

    def received(self, run: Run) -> list[dict[str, Any]]:
        files = [file for part in self.workspace.committed("received", f"dump={run.dump_id}") for file in part.files]
        return [row for file in files for row in pq.read_table(self.workspace.local(file)).to_pylist()]


@pytest.fixture
def scene(server: object, tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    for (dump_id,) in rows("SELECT DISTINCT dump_id FROM sentiment.run WHERE source = :s", s=scene.source):
        scene.workspace.remove("received", f"dump={dump_id}")
    remove_source(scene.source)


def with_setting(monkeypatch: pytest.MonkeyPatch, name: str, value: int) -> None:
    monkeypatch.setenv(f"SENTIMENT_{name}", str(value))
    settings.load.cache_clear()


@pytest.fixture(autouse=True)
def settings_as_before() -> Iterator[None]:
    yield
    settings.load.cache_clear()


def received(run_id: str) -> ReceivedDump:
    """What ingest of a run handed on."""
    return attempts.received_dump(run_id)


def test_records_come_from_the_workspace_while_it_has_them(scene: Scene) -> None:
    old = scene.publish()
    scene.dump.write_bytes(b"another by now")
    opened = requeueing.find(Requeue(old.run_id, "mended", airflow_run_id="airflow's"))
    new = opening.get_run(opened.run_id)
    assert (new.requeue_of, new.status, new.reason, opened.nothing_new) == (old.run_id, "running", "mended", False)
    assert new.counts["read"] == nights.RECORDS == len(scene.received(old))
    assert received(new.run_id) == received(old.run_id)
    assert requeueing.find(Requeue(old.run_id, "mended")).run_id == new.run_id


def test_else_from_the_dumps_files(scene: Scene) -> None:
    old = scene.publish()
    before = scene.received(old)
    scene.empty_workspace(old)
    opened = requeueing.find(Requeue(old.run_id, "mended"))
    assert scene.received(old) == before
    assert received(opened.run_id) == received(old.run_id)


def test_files_that_are_gone_or_others_are_named(scene: Scene) -> None:
    old = scene.publish()
    scene.empty_workspace(old)
    scene.dump.write_bytes(scene.dump.read_bytes() + b"\n")
    with pytest.raises(DumpRefusedError, match=rf"{scene.dump}, [^,]*SHA-256") as refused:
        requeueing.plan(Requeue(old.run_id))
    assert f"DUMP={scene.dump} DATE={NIGHT} SUPERSEDE=" in refused.value.try_next
    scene.dump.unlink()
    with pytest.raises(DumpNotFoundError, match=str(scene.dump)):
        requeueing.find(Requeue(old.run_id, "mended"))
    assert rows("SELECT count(*) FROM sentiment.run WHERE source = :s", s=scene.source) == [(1,)]


def test_a_folder_that_holds_more_by_now_is_no_more_the_dump(scene: Scene) -> None:
    shutil.copy(scene.dump, scene.folder / "second.jsonl")
    old = scene.publish(scene.folder)
    scene.empty_workspace(old)
    more = Path(shutil.copy(scene.dump, scene.folder / "more.jsonl"))
    with pytest.raises(DumpRefusedError, match=str(more)):
        requeueing.find(Requeue(old.run_id, "mended"))
    more.unlink()
    requeueing.find(Requeue(old.run_id, "mended"))
    assert len(scene.received(old)) == 2 * nights.RECORDS


def test_records_that_were_too_long_are_received_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    longest = max(len(line) for line in scene.dump.read_bytes().splitlines())
    with_setting(monkeypatch, "MAX_RECORD_BYTES", longest - 1)
    old = scene.publish()
    assert {row["problem"] for row in scene.received(old)} == {None, "too_long"}
    with_setting(monkeypatch, "MAX_RECORD_BYTES", longest + 1)
    moved = scene.dump.rename(scene.folder / "elsewhere")
    requeueing.find(Requeue(old.run_id, "mended"))  # the heads in the workspace are better than nothing
    assert {row["problem"] for row in scene.received(old)} == {None, "too_long"}
    moved.rename(scene.dump)
    with attempts.attempt(old.run_id, "report"), pytest.raises(InfrastructureError, match=old.run_id):
        requeueing.find(Requeue(old.run_id, "mended"))
    requeueing.find(Requeue(old.run_id, "mended"))
    assert {row["problem"] for row in scene.received(old)} == {None}
    assert max(len(row["raw"]) for row in scene.received(old)) == longest


def test_options_are_those_of_the_night_unless_changed(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = profiles.profile_file("usual", None).read_text("utf-8")
    monkeypatch.setenv("SENTIMENT_SOURCES", str(tmp_path))
    settings.load.cache_clear()
    (tmp_path / "mine.toml").write_text(mine)
    old = scene.publish(profile="mine", allow=("same_dump",))
    then = received(old.run_id)
    (tmp_path / "mine.toml").write_text("rating_scale = 10\n" + mine)
    now = received(requeueing.find(Requeue(old.run_id, "mended")).run_id)
    assert (then.profile["rating_scale"], now.profile["rating_scale"]) == (5, 10)
    assert now == then.model_copy(update={"profile": now.profile})
    other = Requeue(old.run_id, "mended", "usual", "windows-1252", ("row_count",))
    assert requeueing.plan(other).dump is None
    assert other.try_next.endswith(f"requeue {old.run_id} --profile usual --encoding windows-1252")
    now = received(requeueing.find(other).run_id)
    assert (now.profile["name"], now.layouts[0].encoding) == ("usual", "windows-1252")
    assert (now.allow, now.reading.encoding) == (["row_count", "same_dump"], "windows-1252")
    assert now.records_key != then.records_key
    assert scene.workspace.committed("received", now.records_key)


@pytest.mark.parametrize("is_cut_anew", [True, False])
def test_refused_records_are_linked_by_their_bytes_where_the_dump_was_cut_anew(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, is_cut_anew: bool
) -> None:
    """Positions say nothing then: here all of the old run's are other ones, and one of its records is no more."""
    old = scene.publish()
    refused = "SELECT record_no FROM sentiment.quarantine WHERE run_id = :r ORDER BY 1"
    mended, *others = (number for (number,) in rows(refused, r=old.run_id))
    rows("UPDATE sentiment.quarantine SET raw_sha256 = 'of others' WHERE run_id = :r AND record_no = :n RETURNING 1",
         r=old.run_id, n=mended)  # fmt: skip
    rows("UPDATE sentiment.quarantine SET record_no = -record_no WHERE run_id = :r RETURNING 1", r=old.run_id)
    if is_cut_anew:
        monkeypatch.setattr("sentiment.dump.cutting.CUTTING_VERSION", 99)
    new = scene.merge(requeueing.find(Requeue(old.run_id, "mended")).run_id)
    assert (received(new.run_id).records_key == received(old.run_id).records_key) is not is_cut_anew
    linked = {number for (number,) in rows("SELECT record_no FROM sentiment.quarantine WHERE requeued_in = :r "
                                           "AND run_id = :old", r=new.run_id, old=old.run_id)}  # fmt: skip
    assert linked == ({-mended} if is_cut_anew else {-mended, *(-number for number in others)})


def test_a_record_that_begins_at_the_byte_of_a_refused_one_is_refused_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = scene.publish()
    monkeypatch.setattr("sentiment.dump.cutting.CUTTING_VERSION", 99)
    new = scene.merge(requeueing.find(Requeue(old.run_id, "mended")).run_id)
    rows("UPDATE sentiment.quarantine SET raw_sha256 = run_id, byte_offset = record_no, requeued_in = NULL "
         "WHERE run_id IN (:old, :new) RETURNING 1", old=old.run_id, new=new.run_id)  # fmt: skip
    rows("UPDATE sentiment.quarantine SET byte_offset = 0 WHERE run_id = :old AND record_no = (SELECT max(record_no) "
         "FROM sentiment.quarantine WHERE run_id = :old) RETURNING 1", old=old.run_id)  # fmt: skip
    with transaction() as c:
        c.execute(statement("store/publish/link_requeued"), {"run_id": new.run_id, "replaced": [old.run_id]})
    linked = "SELECT record_no FROM sentiment.quarantine WHERE requeued_in = :new"
    last = "SELECT max(record_no) FROM sentiment.quarantine WHERE run_id = :old"
    assert rows(linked, new=new.run_id) == rows(last, old=old.run_id)


def test_a_member_of_an_archive_is_hashed_and_read_again(scene: Scene) -> None:
    archive = scene.folder / "export.zip"
    content = {"x/dump.jsonl": scene.dump.read_bytes(), "notes.txt": b"x"}
    archive.write_bytes(workbooks.archive(content))
    request = ingesting.Request(NIGHT, scene.source, nights.MODEL, str(archive), reason="asked")
    old = scene.merge(ingesting.ingest(request).run_id)
    before = scene.received(old)
    scene.empty_workspace(old)
    archive.write_bytes(workbooks.archive(content | {"x/dump.jsonl": b"another by now"}))
    with pytest.raises(DumpRefusedError, match=r"export\.zip!x/dump\.jsonl, has changed"):
        requeueing.plan(Requeue(old.run_id))
    archive.write_bytes(workbooks.archive({"notes.txt": b"x"}))
    with pytest.raises(DumpNotFoundError, match=r"export\.zip!x/dump\.jsonl"):
        requeueing.plan(Requeue(old.run_id))
    archive.write_bytes(workbooks.archive({**content, "more.txt": b"packed anew"}))
    requeueing.find(Requeue(old.run_id, "mended"))
    assert scene.received(old) == before
    assert len(before) == nights.RECORDS


def test_a_stopped_batch_names_the_next_command(scene: Scene) -> None:
    dated = scene.dump.rename(scene.folder / "reviews-2026-04-12.jsonl")
    old = scene.publish(dated, allow=("dump_date",))
    detail = "UPDATE sentiment.run_step SET detail = detail || '{\"allow\": []}' WHERE run_id = :r RETURNING 1"
    rows(detail, r=old.run_id)
    with pytest.raises(DumpRefusedError, match=r"dump_date: reviews-2026-04-12\.jsonl ") as refused:
        requeueing.find(Requeue(old.run_id, "mended"))
    typed = f"requeue {old.run_id} --allow dump_date --reason 'why it is right' --replace"
    assert refused.value.try_next == f"sentiment quarantine {typed}"
    requeueing.find(Requeue(old.run_id, "why it is right", allow=("dump_date",)))


def test_runs_that_can_not_be_requeued_are_refused(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    old = scene.publish()
    for reason in (None, "", "  "):
        with pytest.raises(ParameterError, match="reason") as refused:
            requeueing.find(Requeue(old.run_id, reason))
        assert refused.value.try_next == f"sentiment quarantine requeue {old.run_id} --reason 'why' --replace"
    rows("UPDATE sentiment.quarantine SET reasons = '{forgotten}' WHERE run_id = :r RETURNING 1", r=old.run_id)
    with pytest.raises(ParameterError, match=old.run_id):
        requeueing.plan(Requeue(old.run_id))
    rows("UPDATE sentiment.run SET status = 'failed' WHERE run_id = :r RETURNING 1", r=old.run_id)
    with pytest.raises(ParameterError, match="failed"):
        requeueing.plan(Requeue(old.run_id))
    monkeypatch.setattr("sentiment.store.migrate.head", lambda: "9999")
    with pytest.raises(SetupError, match="9999"):
        requeueing.find(Requeue(old.run_id, "mended"))


def test_one_that_is_over_is_nothing_new(scene: Scene) -> None:
    old = scene.publish()
    new = scene.merge(requeueing.find(Requeue(old.run_id, "mended")).run_id)
    assert requeueing.find(Requeue(old.run_id, "mended")) == ingesting.OpenedRun(new.run_id, nothing_new=True)
    assert requeueing.plan(Requeue(old.run_id)).requeued_in == new.run_id
    assert old.run_id in summary.of_run(new.run_id, nothing_new=True)
    again = ingesting.ingest(ingesting.Request(NIGHT, scene.source, nights.MODEL, str(scene.dump)))
    assert again == ingesting.OpenedRun(new.run_id, nothing_new=True)


def test_a_dry_run_in_airflow_logs_the_plan_and_opens_nothing(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    old = scene.publish()
    context: Any = {
        "params": {"run_id": old.run_id, "reason": None, "dry_run": True, **dict.fromkeys(("profile", "encoding"))},
        "dag_run": SimpleNamespace(run_id="airflow's"),
    }
    context["params"]["allow"] = []
    with caplog.at_level("INFO"):
        assert requeueing.plan_or_preview(context) is None
    refused = len(rows("SELECT 1 FROM sentiment.quarantine WHERE run_id = :r", r=old.run_id))
    assert f"{old.run_id} refused {refused} of {nights.RECORDS} records (refused {refused})" in caplog.text
    assert rows("SELECT count(*) FROM sentiment.run WHERE source = :s", s=scene.source) == [(1,)]
    context["params"] |= {"dry_run": False, "reason": "mended"}
    assert requeueing.plan_or_preview(context) == {"requeued": old.run_id, "records": refused}
    opened = requeueing.ingest(context)
    assert opened
    assert opening.get_run(opened["run_id"]).requeue_of == old.run_id


def test_retention_keeps_the_records_that_either_run_needs(scene: Scene) -> None:
    kind = "records of a dump no run needs"
    old = scene.publish()
    new_id = requeueing.find(Requeue(old.run_id, "mended")).run_id
    mine = {f"received/dump={old.dump_id}"}
    for aged, other in ((old.run_id, new_id), (new_id, old.run_id)):
        age(aged)
        age(other, datetime.now(UTC))
        assert not mine & {leftover.where for leftover in maintenance.find() if leftover.kind == kind}
    for run_id in (old.run_id, new_id):
        age(run_id)
    leftovers = [leftover for leftover in maintenance.find() if leftover.where in mine]
    assert len(leftovers) == 1
    requeueing.find(Requeue(old.run_id, "mended"))
    assert [leftover.remove() for leftover in leftovers] == [False]
    assert len(scene.received(old)) == nights.RECORDS


def test_forgetting_empties_the_payloads_of_both_runs(scene: Scene) -> None:
    old = scene.publish()
    new = scene.merge(requeueing.find(Requeue(old.run_id, "mended")).run_id)
    review_id, author = rows("SELECT review_id, author FROM sentiment.review WHERE source = :s AND author IS NOT NULL "
                             "ORDER BY 1 LIMIT 1", s=scene.source)[0]  # fmt: skip
    payload = f'{{"author": "{author}", "rating": 11}}'.encode()
    rows("UPDATE sentiment.quarantine SET raw = :payload WHERE record_no = (SELECT min(record_no) FROM "
         "sentiment.quarantine WHERE run_id = :new) AND run_id IN (:old, :new) RETURNING 1",
         payload=payload, old=old.run_id, new=new.run_id)  # fmt: skip
    gone, _ = forgetting.remove(forgetting.find(review_id))
    assert gone["payloads in sentiment.quarantine"] == 2


def test_a_mended_rule_lets_records_through_from_end_to_end(
    scene: Scene, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = oracle.read(scene.dump, scene.source, NIGHT).accepted
    *_, bound, longer, _longest = sorted(len(review.text) for review in sound)
    assert bound < longer
    attempt = NightSpec(scene.source, NIGHT, scene.dump)
    with_setting(monkeypatch, "MAX_TEXT_CHARS", bound)
    run_all_steps(spark, attempt)
    ((old_id, n_scored),) = rows("SELECT run_id, rows_scored FROM sentiment.run WHERE source = :s", s=scene.source)
    assert n_scored == len(sound) - 2
    assert quarantine.requeueable(old_id)[1]["text_not_too_long"] == 2
    with_setting(monkeypatch, "MAX_TEXT_CHARS", 50_000)
    run_all_steps(spark, replace(attempt, requeue_of=old_id))
    expected = oracle.Oracle(
        scene.source, nights.predicted_probabilities(spark, {review.text for review in sound}).__getitem__
    )
    expected.publish(NIGHT, scene.dump)
    assert expected.violations() == []
    new = opening.get_run(rows("SELECT run_id FROM sentiment.run WHERE supersedes = :r", r=old_id)[0][0])
    assert (new.counts["scored"], new.counts["reused"]) == (2, n_scored)
    total = len(rows("SELECT 1 FROM sentiment.quarantine WHERE run_id = :r", r=old_id))
    assert rows("SELECT DISTINCT reasons FROM sentiment.quarantine WHERE requeued_in = :r", r=new.run_id) == [
        (["text_not_too_long"],)
    ]
    assert f"2 of the {total} requeued records" in summary.of_run(new.run_id)
