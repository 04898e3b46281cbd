"""Each batch check passes a sound batch, stops a broken one, and passes that where it is allowed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sentiment import contract
from sentiment.database import transaction
from sentiment.errors import DumpRefusedError, ParameterError
from sentiment.jobs.validate import check_batch
from sentiment.orchestration import ingesting
from sentiment.quality import batch
from sentiment.quality.batch import Schema, SchemaChange
from sentiment.quality.batch_check import BatchCheck
from sentiment.runs import attempts, opening
from sentiment.runs.handoff import JudgedNight
from sentiment.runs.model import Run
from sentiment.settings import Settings

from tests.kit.rows import remove_source

NIGHT = date(2026, 5, 20)
PUBLISH = """
UPDATE sentiment.run
SET rows_read = :read, rows_accepted = :accepted, status = 'published', published_at = now()
WHERE run_id = :run_id
"""


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("reviews-2026-05-20.jsonl.gz", NIGHT),
        ("reviews_20260520.csv", NIGHT),
        ("20-05-2026.csv", NIGHT),
        ("2026.05.20_2026-05-20.jsonl", NIGHT),
        ("2026-05-20T04.jsonl", NIGHT),
        ("from-2026-05-01-to-2026-05-20.jsonl", None),
        ("reviews.jsonl", None),
        ("part-00000-20269999.parquet", None),
        ("123456789012.csv", None),
        ("2026-05.jsonl", None),
        ("18001231.jsonl", None),
        ("2026-0520.csv", None),
    ],
)
def test_the_date_in_a_name(name: str, day: date | None) -> None:
    assert batch.date_in(name) == day


BEFORE = Schema(("id", "review", "author", "likes"), {"own_id": "id", "text": "review", "author": "author"})


@pytest.mark.parametrize(
    ("columns", "mapped", "new", "gone", "moved", "unmapped"),
    [
        (BEFORE.columns, BEFORE.mapped, [], [], [], []),
        (("likes", "author", "review", "id"), BEFORE.mapped, [], [], [], []),
        (("id", "review", "author"), BEFORE.mapped, [], ["likes"], [], []),
        ((*BEFORE.columns, "title", "x"), {**BEFORE.mapped, "title": "title"}, ["title", "x"], [], [], []),
        (("id", "texte", "author", "likes"), {**BEFORE.mapped, "text": "texte"}, ["texte"], ["review"], ["text"], []),
        (("review", "likes"), {"text": "review"}, [], ["id", "author"], [], ["own_id", "author"]),
    ],
)
def test_schema_change_column_by_column(
    columns: tuple[str, ...],
    mapped: dict[str, str],
    new: list[str],
    gone: list[str],
    moved: list[str],
    unmapped: list[str],
) -> None:
    change = SchemaChange(BEFORE, Schema(columns, mapped))
    assert (change.new, change.gone, change.moved, change.unmapped) == (new, gone, moved, unmapped)
    assert len(change.sentences()) == len(new) + len(gone) + len(moved)
    assert bool(batch.unmapped_columns(change)) == bool(unmapped)


def test_a_change_is_described_with_the_columns_of_both_sides() -> None:
    change = SchemaChange(BEFORE, Schema(("id", "texte", "author"), {**BEFORE.mapped, "text": "texte"}))
    columns = {"id", "review", "texte", "author", "likes", "text"}
    named = [set(re.findall(r"\w+", sentence)) & columns for sentence in change.sentences()]
    assert named == [{"texte", "text"}, {"review", "text"}, {"likes"}, {"texte", "text", "review"}]


def test_bounds_need_three_nights_and_follow_their_median(tmp_path: Path) -> None:
    config = Settings(home=tmp_path, min_night_share=0.5, max_night_share=2)
    assert batch.bounds([10, 1000], config) == (None, None)
    assert batch.bounds([10, 100, 1000], config) == (50, 200)
    assert [bool(batch.row_count("records", n, 50, 200)) for n in (49, 50, 200, 201)] == [True, False, False, True]
    assert not batch.row_count("records", 1, None, None)
    assert batch.bounds([10, 49, 1000], config) == (None, None)


def test_a_full_listing_hardly_shrinks(tmp_path: Path) -> None:
    config = Settings(home=tmp_path, min_night_share=0.2, max_night_share=5)
    assert batch.bounds([1000] * 3, config, is_full=True) == (900, 5000)


@pytest.fixture
def source(server: object) -> Iterator[str]:
    name = f"batch_{uuid4().hex[:8]}"
    yield name
    remove_source(name)


def write(path: Path, n: int = 10, **more: Any) -> Path:
    records = ({"id": f"{path}-{i}", "review": f"Vu {i} fois.", "author": "Zoé", **more} for i in range(n))
    path.write_text("\n".join(json.dumps({k: v for k, v in r.items() if v is not None}) for r in records), "utf-8")
    return path


def find(source: str, night: date, dump: Path, *allow: str) -> ingesting.OpenedRun:
    """Run ingest; the run does not keep another night waiting, as it goes no further."""
    reason = "it is right" if allow else None
    opened = ingesting.ingest(ingesting.Request(night, source, "cinema-fr", str(dump), reason=reason, allow=allow))
    opening.set_status(opened.run_id, "failed")
    return opened


def published(source: str, night: date, dump: Path, **counts: int) -> str:
    """Run ingest alone, and set the run to published."""
    run_id = find(source, night, dump).run_id
    with transaction("owner") as c:
        values = {"read": 10, "accepted": 10, **counts, "run_id": run_id}
        c.execute(sa.text(PUBLISH), values)
    return run_id


def assert_stops_unless_allowed(check: BatchCheck, source: str, dump: Path, *names: str) -> str:
    """Assert that the check alone refuses the dump, naming `names` and the command that allows it; allow it then."""
    with pytest.raises(DumpRefusedError, match=f"^{check}: ") as refused:
        find(source, NIGHT, dump)
    assert [name for name in names if name not in refused.value.message] == []
    assert f"DUMP={dump}" in refused.value.try_next
    assert f"ALLOW={check} REASON=" in refused.value.try_next
    run_id = find(source, NIGHT, dump, check).run_id
    assert opening.get_run(run_id).reason == "it is right"
    received = attempts.received_dump(run_id)
    assert (received.allow, [finding.split(":")[0] for finding in received.allowed]) == ([check], [check])
    assert f"{check}: " in batch.notices(run_id)[-1]
    return run_id


def test_dump_date(source: str, tmp_path: Path) -> None:
    find(source, NIGHT, write(tmp_path / f"{NIGHT}.jsonl"))
    find(source, NIGHT, write(tmp_path / "undated.jsonl"))
    other = write(tmp_path / "2026-05-19.jsonl")
    assert_stops_unless_allowed(BatchCheck.dump_date, source, other, "2026-05-19.jsonl", str(NIGHT))


def test_dump_date_of_a_manifest(source: str, tmp_path: Path) -> None:
    dump = write(tmp_path / "reviews.jsonl")
    (tmp_path / "manifest.json").write_text('{"night": "2026-05-20"}')
    find(source, NIGHT, dump)
    (tmp_path / "manifest.json").write_text('{"night": "2026-05-21"}')
    assert_stops_unless_allowed(BatchCheck.dump_date, source, dump, "manifest", "2026-05-21")


def test_same_dump(source: str, tmp_path: Path) -> None:
    dump, other = write(tmp_path / "a.jsonl"), write(tmp_path / "b.jsonl")
    before = published(source, NIGHT - timedelta(days=1), dump)
    find(source, NIGHT, other)
    assert find(source, NIGHT - timedelta(days=1), dump).nothing_new
    assert_stops_unless_allowed(BatchCheck.same_dump, source, dump, before)


def test_schema_change(source: str, tmp_path: Path) -> None:
    published(source, NIGHT + timedelta(days=1), write(tmp_path / "later.jsonl"))
    published(source, NIGHT - timedelta(days=1), write(tmp_path / "a.jsonl", rating=4, likes=1))
    same = find(source, NIGHT, write(tmp_path / "b.jsonl", rating=3, likes=1))
    assert batch.notices(same.run_id) == []
    changed = find(source, NIGHT, write(tmp_path / "c.jsonl", rating=3, shares=1))
    [changes] = batch.notices(changed.run_id)
    assert {"shares", "likes"} <= set(re.findall(r"\w+", changes))
    assert "rating" not in changes
    dump = write(tmp_path / "d.jsonl", author=None, likes=1, rating=4)
    assert_stops_unless_allowed(BatchCheck.schema_change, source, dump, "author")


def test_another_column_for_the_item_than_at_the_first_night(source: str, tmp_path: Path) -> None:
    before = published(source, NIGHT - timedelta(days=1), write(tmp_path / "a.jsonl", film_id="f"))
    rule = "INSERT INTO sentiment.source_rule VALUES (:s, 1, '{own_id}', 2, cast(:mapped AS jsonb), :r)"
    with transaction("owner") as c:
        c.execute(sa.text(rule), {"s": source, "r": before, "mapped": '{"item_id": "film_id"}'})
    find(source, NIGHT, write(tmp_path / "b.jsonl", film_id="f"))
    dump = write(tmp_path / "c.jsonl", movie_id="f")
    assert_stops_unless_allowed(BatchCheck.schema_change, source, dump, "movie_id", "film_id")


def test_row_count_of_records(source: str, tmp_path: Path) -> None:
    for days in (1, 2, 3):
        published(source, NIGHT - timedelta(days=days), write(tmp_path / f"{days}.jsonl"), read=50 * days)
    run_id = find(source, NIGHT, write(tmp_path / "enough.jsonl", 20)).run_id
    assert attempts.received_dump(run_id).record_bounds == (20, 500)
    few, many = write(tmp_path / "few.jsonl", 19), write(tmp_path / "many.jsonl", 501)
    assert_stops_unless_allowed(BatchCheck.row_count, source, many, "501", "20", "500")
    assert_stops_unless_allowed(BatchCheck.row_count, source, few, "19", "20", "500")


def test_every_failed_check_is_named_at_once(source: str, tmp_path: Path) -> None:
    dump = write(tmp_path / "2026-05-19.jsonl")
    published(source, date(2026, 5, 19), dump)
    with pytest.raises(DumpRefusedError, match="same_dump: ") as refused:
        find(source, NIGHT, dump, "dump_date")
    assert "dump_date:" not in refused.value.message
    assert "ALLOW=dump_date,same_dump" in refused.value.try_next


def test_allowing_needs_a_known_check_and_a_reason(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="reason"):
        ingesting.Request(NIGHT, "s", "cinema-fr", "d", allow=("row_count",))
    with pytest.raises(ParameterError, match=r"size.*dump_date"):
        ingesting.Request(NIGHT, "s", "cinema-fr", "d", reason="why", allow=("size",))


def judge(
    source: str, config: Settings, allow: list[str], expectations_failed: Sequence[str] = (), **counts: int
) -> list[str]:
    """Return what `validate` stores as allowed, of ten records of which two are refused."""
    records = {"accepted": 8, "quarantined": 2, "duplicate": 0} | counts
    night = JudgedNight(
        reasons={"rating_in_range": records["quarantined"], contract.FORGOTTEN: 0},
        expectations_met=not expectations_failed,
        expectations_failed=list(expectations_failed),
    )
    run = Run("r", NIGHT, source, "d", "cinema-fr", "running", None, None, None, {})
    return check_batch(run, records, night, list, [], config, allow, {})


def test_quarantine_share(source: str, config: Settings) -> None:
    assert judge(source, config, []) == []
    with pytest.raises(DumpRefusedError, match=r"^quarantine_share: 3 of 11 .*27%.*rating_in_range 3"):
        judge(source, config, [], quarantined=3)
    assert judge(source, config, ["quarantine_share"], quarantined=3)[0].startswith("quarantine_share: 3 of 11")


def test_a_night_without_an_accepted_review_is_refused_whatever_is_allowed(source: str, config: Settings) -> None:
    with pytest.raises(DumpRefusedError, match="rating_in_range 2"):
        judge(source, config, ["quarantine_share"], accepted=0)


def test_what_great_expectations_refuses_is_refused(source: str, config: Settings) -> None:
    with pytest.raises(DumpRefusedError, match=r"^quarantine_share: .*readable"):
        judge(source, config, [], ["readable"])


def test_row_count_of_accepted_reviews(source: str, config: Settings, tmp_path: Path) -> None:
    for days in (1, 2, 3):
        dump = write(tmp_path / f"{days}.jsonl")
        published(source, NIGHT - timedelta(days=days), dump, accepted=50 * days)
    assert judge(source, config, [], accepted=20, quarantined=0) == []
    for n in (19, 501):
        with pytest.raises(DumpRefusedError, match=rf"^row_count: {n} .*\b20\b.*\b500\b"):
            judge(source, config, [], accepted=n, quarantined=0)
        assert judge(source, config, ["row_count"], accepted=n, quarantined=0)[0].startswith(f"row_count: {n} ")
