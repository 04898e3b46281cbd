"""Each rule has a row that passes and one that fails; Spark and Great Expectations say the same of a batch."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sentiment.quality import expectations, rules, split
from sentiment.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

NIGHT = date(2026, 11, 22)
SCHEMA = (
    "source string, file_no int, record_no long, byte_offset long, raw binary, raw_bytes long, raw_sha256 string, "
    "problem string, item_id string, item_type string, item_title string, author string, rating double, "
    "review_date date, title string, text string, polarity int, rating_text string, date_text string, "
    "polarity_text string, review_id string, text_hash string, content_hash string"
)
NAMES = [column.split()[0] for column in SCHEMA.split(", ")]
GOOD: dict[str, Any] = {
    **dict.fromkeys(NAMES),
    "source": "allocine",
    "file_no": 0,
    "byte_offset": 0,
    "raw": b"{}",
    "raw_bytes": 2,
    "text": "Un beau film.",
    "rating": 4.0,
    "rating_text": "4",
    "review_date": date(2026, 11, 20),
    "date_text": "2026-11-20",
    "polarity": 1,
    "polarity_text": "1",
}
FAILS: dict[str, dict[str, Any]] = {
    "readable": {"problem": "not_utf8", "text": None, "raw": b"caf\xe9"},
    "forgotten": {"problem": "forgotten", "text": None, "raw": b""},
    "text_present": {"text": " \u00a0\u200b\t"},
    "text_not_too_long": {"text": "a" * 20_001},
    "text_not_markup": {"text": "<b></b> https://example.org/x &nbsp;"},
    "no_nul": {"text": "mal\x00venu"},
    "rating_in_range": {"rating": 11.0, "rating_text": "11"},
    "date_readable": {"review_date": None, "date_text": "hier"},
    "date_not_future": {"review_date": date(2026, 11, 24), "date_text": "2026-11-24"},
    "polarity_known": {"polarity": 2, "polarity_text": "2"},
}
PASSES: dict[str, dict[str, Any]] = {
    "text_not_too_long": {"text": "a" * 20_000},
    "text_not_markup": {"text": "<b>Bien</b>"},
    "rating_in_range": {"rating": None, "rating_text": None},
    "date_not_future": {"review_date": date(2026, 11, 23), "date_text": "2026-11-23"},
    "polarity_known": {"polarity": None, "polarity_text": None},
}


def frame(spark: SparkSession, changes: list[dict[str, Any]]) -> DataFrame:
    rows = [
        GOOD | {"record_no": n, "review_id": f"{n:032x}", "text_hash": str(n)} | change
        for n, change in enumerate(changes, start=1)
    ]
    return spark.createDataFrame([tuple(row[name] for name in NAMES) for row in rows], SCHEMA)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[rules.Rule, ...]:
    return rules.table(Settings(home=tmp_path_factory.mktemp("rules")), NIGHT)


def test_every_rule_is_told_here(table: tuple[rules.Rule, ...]) -> None:
    assert {rule.name for rule in table} == set(FAILS)


def test_each_rule_refuses_its_row_and_says_why(spark: SparkSession, table: tuple[rules.Rule, ...]) -> None:
    judged = rules.judged(frame(spark, list(FAILS.values())), table).orderBy("record_no").collect()
    assert [row["reasons"] for row in judged] == [[name] for name in FAILS]
    assert all(row["details"].startswith(f"{name}: ") for name, row in zip(FAILS, judged, strict=True))
    assert "the rating 11 is not" in judged[list(FAILS).index("rating_in_range")]["details"]


def test_each_rule_lets_its_neighbour_pass(spark: SparkSession, table: tuple[rules.Rule, ...]) -> None:
    judged = rules.judged(frame(spark, [{}, *PASSES.values()]), table).collect()
    assert [row["reasons"] for row in judged] == [[]] * (len(PASSES) + 1)


def test_a_row_is_told_every_reason(spark: SparkSession, table: tuple[rules.Rule, ...]) -> None:
    both = FAILS["text_present"] | FAILS["rating_in_range"]
    row = rules.judged(frame(spark, [both]), table).collect()[0]
    assert row["reasons"] == ["text_present", "rating_in_range"]
    assert row["details"].count("\n") == 1


def test_records_are_accepted_quarantined_or_duplicate(spark: SparkSession, table: tuple[rules.Rule, ...]) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"review_id": "1" * 32},
        {"review_id": "1" * 32},
        {"review_id": "1" * 32, "text": ""},
        {"raw": b"x" * 70_000, "text": None},
    ]
    judged = rules.judged(frame(spark, changes), table)
    told = split.told_apart(judged)
    accepted, refused, again = split.accepted(told), split.quarantined(judged), split.duplicates(told)
    assert sorted(r["record_no"] for r in accepted.collect()) == [1, 2]
    assert sorted(r["record_no"] for r in refused.collect()) == [4, 5]
    assert [(r["record_no"], r["duplicate_of"]["record_no"]) for r in again.collect()] == [(3, 2)]
    kept = {r["record_no"]: r for r in refused.collect()}[5]
    assert len(kept["raw"]) == 64 * 1024
    assert len(kept["raw_sha256"]) == 64


def test_great_expectations_judges_by_the_same_rules_without_a_row_value(
    spark: SparkSession, table: tuple[rules.Rule, ...], tmp_path: Path
) -> None:
    secret = "Phrase-secrète-à-ne-pas-montrer"
    changes = [{"text": secret}] * 7 + [FAILS["rating_in_range"] | {"text": secret}] * 3
    judged = rules.judged(frame(spark, changes), table)
    lax = expectations.judge(judged, table, "20261122-00000001", 0.4, tmp_path)
    strict = expectations.judge(judged, table, "20261122-00000002", 0.2, tmp_path)
    assert (lax.success, lax.failed) == (True, [])
    assert (strict.success, strict.failed) == (False, ["rating_in_range"])
    pages = [p.read_text("utf-8") for p in tmp_path.rglob("*.html")]
    assert strict.page.exists()
    assert any("rating_in_range" in page for page in pages)
    assert not any(secret in page for page in pages)
    runs = {p.parent.parent.name for p in tmp_path.rglob("validations/**/*.html")}
    assert len(runs) >= 2
