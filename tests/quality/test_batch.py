"""Each rule for batches lets a sound one pass, stops a broken one, and lets that pass where it is allowed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sentiment import contract
from sentiment.database import transaction
from sentiment.errors import DumpRefusedError, ParameterError
from sentiment.jobs.validate import refuse_bad_batch
from sentiment.orchestration import steps
from sentiment.quality import batch
from sentiment.quality.batch import BatchRule, Schema
from sentiment.quality.expectations import Verdict
from sentiment.runs import attempts, opening
from sentiment.runs.model import Run
from sentiment.settings import Settings

NIGHT = date(2026, 5, 20)
FINE = Verdict(True, [], Path("page"))


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
    ("columns", "mapped", "told", "stops"),
    [
        (BEFORE.columns, BEFORE.mapped, [], []),
        (("likes", "author", "review", "id"), BEFORE.mapped, [], []),
        (("id", "review", "author"), BEFORE.mapped, ["column likes is gone (not used)"], []),
        (
            (*BEFORE.columns, "title", "x"),
            {**BEFORE.mapped, "title": "title"},
            ["column title is new (title)", "column x is new (not used)"],
            [],
        ),
        (
            ("id", "texte", "author", "likes"),
            {**BEFORE.mapped, "text": "texte"},
            [
                "column texte is new (text)",
                "column review is gone (text)",
                "text is read from texte, before from review",
            ],
            [],
        ),
        (
            ("review", "likes"),
            {"text": "review"},
            ["column id is gone (own_id)", "column author is gone (author)"],
            ["id (own_id)", "author (author)"],
        ),
    ],
)
def test_schema_change_is_told_column_by_column(
    columns: tuple[str, ...], mapped: dict[str, str], told: list[str], stops: list[str]
) -> None:
    assert batch.schema_change(BEFORE, Schema(columns, mapped)) == (told, stops)


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
def source(ready: object) -> Iterator[str]:
    name = f"batch_{uuid4().hex[:8]}"
    yield name
    with transaction("owner") as c:
        mine = "(SELECT run_id FROM sentiment.run WHERE source = :s)"
        c.execute(sa.text(f"DELETE FROM sentiment.run_step WHERE run_id IN {mine}"), {"s": name})
        c.execute(sa.text("DELETE FROM sentiment.run WHERE source = :s"), {"s": name})


def write(path: Path, n: int = 10, **more: Any) -> Path:
    records = ({"id": f"{path}-{i}", "review": f"Vu {i} fois.", "author": "Zoé", **more} for i in range(n))
    path.write_text("\n".join(json.dumps({k: v for k, v in r.items() if v is not None}) for r in records), "utf-8")
    return path


def find(source: str, night: date, dump: Path, *allow: str) -> steps.Found:
    reason = "it is right" if allow else None
    return steps.find_dump(steps.Request(night, source, "cinema-fr", str(dump), reason=reason, allow=allow))


def published(source: str, night: date, dump: Path, **counts: int) -> str:
    """A night that find_dump took, as if all the rest had been done."""
    run_id = find(source, night, dump).run_id
    with transaction("owner") as c:
        values = {"read": 10, "accepted": 10, **counts, "run_id": run_id}
        query = "rows_read = :read, rows_accepted = :accepted, status = 'published', published_at = now()"
        c.execute(sa.text(f"UPDATE sentiment.run SET {query} WHERE run_id = :run_id"), values)
    return run_id


def assert_stops_unless_allowed(rule: BatchRule, source: str, dump: Path, words: str) -> str:
    with pytest.raises(DumpRefusedError, match=f"{rule}: .*{words}") as refused:
        find(source, NIGHT, dump)
    assert f"DUMP={dump}" in refused.value.try_next
    assert f"ALLOW={rule} REASON=" in refused.value.try_next
    found = find(source, NIGHT, dump, rule)
    assert opening.get_run(found.run_id).reason == "it is right"
    detail = attempts.finished(found.run_id, "find_dump").detail
    assert (detail["allow"], [told.split(":")[0] for told in detail["allowed"]]) == ([rule], [rule])
    assert f"Allowed: {rule}: " in " ".join(batch.told(found.run_id))
    return found.run_id


def test_dump_date(source: str, tmp_path: Path) -> None:
    find(source, NIGHT, write(tmp_path / f"{NIGHT}.jsonl"))
    find(source, NIGHT, write(tmp_path / "undated.jsonl"))
    other = write(tmp_path / "2026-05-19.jsonl")
    assert_stops_unless_allowed(BatchRule.dump_date, source, other, "2026-05-19.jsonl says 2026-05-19")


def test_dump_date_of_a_manifest(source: str, tmp_path: Path) -> None:
    dump = write(tmp_path / "reviews.jsonl")
    (tmp_path / "manifest.json").write_text('{"night": "2026-05-20"}')
    find(source, NIGHT, dump)
    (tmp_path / "manifest.json").write_text('{"night": "2026-05-21"}')
    assert_stops_unless_allowed(BatchRule.dump_date, source, dump, "its manifest says 2026-05-21")


def test_same_dump(source: str, tmp_path: Path) -> None:
    dump, other = write(tmp_path / "a.jsonl"), write(tmp_path / "b.jsonl")
    before = published(source, NIGHT - timedelta(days=1), dump)
    find(source, NIGHT, other)
    assert find(source, NIGHT - timedelta(days=1), dump).nothing_new
    assert_stops_unless_allowed(BatchRule.same_dump, source, dump, before)


def test_schema_change(source: str, tmp_path: Path) -> None:
    published(source, NIGHT + timedelta(days=1), write(tmp_path / "later.jsonl"))
    published(source, NIGHT - timedelta(days=1), write(tmp_path / "a.jsonl", rating=4, likes=1))
    same = find(source, NIGHT, write(tmp_path / "b.jsonl", rating=3, likes=1))
    assert batch.told(same.run_id) == []
    found = find(source, NIGHT, write(tmp_path / "c.jsonl", rating=3, shares=1))
    words = "column shares is new (not used); column likes is gone (not used)"
    assert batch.told(found.run_id) == [f"Since the night before: {words}"]
    dump = write(tmp_path / "d.jsonl", author=None, likes=1, rating=4)
    assert_stops_unless_allowed(BatchRule.schema_change, source, dump, r"are gone: author \(author\)")


def test_row_count_of_records(source: str, tmp_path: Path) -> None:
    for days in (1, 2, 3):
        published(source, NIGHT - timedelta(days=days), write(tmp_path / f"{days}.jsonl"), read=50 * days)
    run_id = find(source, NIGHT, write(tmp_path / "enough.jsonl", 20)).run_id
    assert attempts.finished(run_id, "find_dump").detail["bounds"] == [20, 500]
    few, many = write(tmp_path / "few.jsonl", 19), write(tmp_path / "many.jsonl", 501)
    assert_stops_unless_allowed(BatchRule.row_count, source, many, "501 records, where .* 20 to 500")
    assert_stops_unless_allowed(BatchRule.row_count, source, few, "19 records, where .* 20 to 500")


def test_every_broken_rule_is_told_at_once(source: str, tmp_path: Path) -> None:
    dump = write(tmp_path / "2026-05-19.jsonl")
    published(source, date(2026, 5, 19), dump)
    with pytest.raises(DumpRefusedError, match="same_dump: ") as refused:
        find(source, NIGHT, dump, "dump_date")
    assert "dump_date:" not in refused.value.message
    assert "ALLOW=dump_date,same_dump" in refused.value.try_next


def test_allowing_needs_a_rule_there_is_and_a_reason(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="allow needs a reason"):
        steps.Request(NIGHT, "s", "cinema-fr", "d", allow=("row_count",))
    with pytest.raises(ParameterError, match="allow is size; expected some of dump_date, "):
        steps.Request(NIGHT, "s", "cinema-fr", "d", reason="why", allow=("size",))


def judge(source: str, config: Settings, allow: list[str], verdict: Verdict = FINE, **counts: int) -> list[str]:
    step = attempts.Attempt("r", "validate", 1, counts={"accepted": 8, "quarantined": 2, "duplicate": 0} | counts)
    step.detail = {"reasons": {"rating_in_range": step.counts["quarantined"], contract.FORGOTTEN: 0}}
    run = Run("r", NIGHT, source, "d", "cinema-fr", "running", None, None, None, {})
    refuse_bad_batch(run, step, config, verdict, allow)
    allowed: list[str] = step.detail["allowed"]
    return allowed


def test_quarantine_share(source: str, config: Settings) -> None:
    assert judge(source, config, []) == []
    with pytest.raises(DumpRefusedError, match=r"quarantine_share: 3 of 11 records \(27%\).*rating_in_range 3"):
        judge(source, config, [], quarantined=3)
    assert judge(source, config, ["quarantine_share"], quarantined=3)[0].startswith("quarantine_share: 3 of 11")
    with pytest.raises(DumpRefusedError, match="No review is left"):
        judge(source, config, ["quarantine_share"], accepted=0)


def test_what_great_expectations_refuses_is_refused(source: str, config: Settings) -> None:
    verdict = Verdict(False, ["readable"], Path("page"))
    with pytest.raises(DumpRefusedError, match="Great Expectations refuses it: readable"):
        judge(source, config, [], verdict)


def test_row_count_of_accepted_reviews(source: str, config: Settings, tmp_path: Path) -> None:
    for days in (1, 2, 3):
        dump = write(tmp_path / f"{days}.jsonl")
        published(source, NIGHT - timedelta(days=days), dump, accepted=50 * days)
    assert judge(source, config, [], accepted=20, quarantined=0) == []
    for n in (19, 501):
        with pytest.raises(DumpRefusedError, match=f"row_count: {n} accepted reviews, where .* 20 to 500"):
            judge(source, config, [], accepted=n, quarantined=0)
        assert judge(source, config, ["row_count"], accepted=n, quarantined=0)[0].startswith(f"row_count: {n} ")
