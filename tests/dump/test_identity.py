"""Which records are the same review: by the rules of sources, whatever order, file or night they come in."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from sentiment import contract
from sentiment.dump.identity import Identity, is_removed, numbered, with_review_id
from sentiment.dump.profiles import CONTENT, OWN_ID
from sentiment.runs.model import IdentityRule

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SCHEMA = (
    "source string, file_no int, record_no long, problem string, own_id string, item_id string, item_title string, "
    "author string, review_date date, rating double, polarity int, title string, text string"
)
NAMES = [column.split()[0] for column in SCHEMA.split(", ")]
BY_ID, BY_CONTENT, FIRST = IdentityRule(OWN_ID), IdentityRule(CONTENT), IdentityRule((), version=1)
A_DAY = date(2026, 11, 20)


def frame(spark: SparkSession, records: list[dict[str, Any]]) -> DataFrame:
    rows = [{"source": "s", "file_no": 0, "record_no": n, "text": "Bien"} | r for n, r in enumerate(records, 1)]
    return spark.createDataFrame([tuple(row.get(name) for name in NAMES) for row in rows], SCHEMA)


def ids(spark: SparkSession, records: list[dict[str, Any]], rule: IdentityRule, night: date | None = None) -> list[str]:
    """Return the review id of each record, its own where several are equal."""
    rows = with_review_id(frame(spark, records), Identity(rule, night)).cache()
    own = {row["record_no"]: row["review_id"] for row in numbered(rows).collect()}
    identified = [own.get(row["record_no"], row["review_id"]) for row in rows.orderBy("record_no").collect()]
    rows.unpersist()
    return identified


def test_an_id_identifies_within_what_the_rule_names(spark: SparkSession) -> None:
    records = [{"own_id": "1", "item_id": "a"}, {"own_id": "1", "item_id": "b"}, {"own_id": "1", "item_title": "a"}]
    assert len(set(ids(spark, records, BY_ID))) == 1
    # An item without an id is its title.
    one, other, by_title = ids(spark, records, IdentityRule(("item_id", "own_id")))
    assert one == by_title != other


def test_ids_are_those_of_versions_before_rules(spark: SparkSession) -> None:
    described = {"item_id": "f", "author": "Zoé", "review_date": A_DAY}
    records: list[dict[str, Any]] = [{"own_id": "1"}, described, {}, {"author": "Zoé"}]
    before = ids(spark, records, FIRST)
    assert before[0] == hashlib.sha256(b"id\x1fs\x1f1").hexdigest()[:32]
    by_content = "\x1f".join(("content", "s", "f", "Zoé", "2026-11-20", "Bien"))
    assert before[1] == hashlib.sha256(by_content.encode()).hexdigest()[:32]
    by_position = "\x1f".join(("place", "s", "Bien", "0", "3"))
    assert before[2] == hashlib.sha256(by_position.encode()).hexdigest()[:32]
    # What a source's own rule and the first version have in common stays: ids, and items with an id.
    now = ids(spark, records, BY_ID)
    assert now[:2] == before[:2]
    assert now[2] != before[2]


def test_a_title_is_the_item_where_there_is_no_id(spark: SparkSession) -> None:
    records = [{"item_title": title, "author": "Camille", "review_date": A_DAY} for title in ("A", "B", "A")]
    one, other, same = ids(spark, records, BY_CONTENT)
    assert one == same != other


@pytest.mark.parametrize("rule", [BY_CONTENT, BY_ID])
def test_equal_records_without_anything_else_stay_several_in_any_order(spark: SparkSession, rule: IdentityRule) -> None:
    records: list[dict[str, Any]] = [{"rating": rating} for rating in (4.0, 4.0, 2.0, 4.0)]
    records.append({"rating": 4.0, "polarity": 1})
    first = ids(spark, records, rule)
    assert len(set(first)) == len(records)
    again = ids(spark, [{"rating": 4.0, "text": "Neuf"}, *reversed(records), {"rating": 4.0}], rule)
    assert set(first) < set(again)
    assert len(set(again)) == len(records) + 2


def test_a_date_or_an_author_makes_equal_records_one_review(spark: SparkSession) -> None:
    for name, value in (("author", "Zoé"), ("review_date", A_DAY)):
        known = {name: value}
        assert len(set(ids(spark, [known, known], BY_CONTENT))) == 1


def test_a_rule_may_keep_nights_apart(spark: SparkSession) -> None:
    records: list[dict[str, Any]] = [{"rating": 4.0}, {"rating": 4.0}, {"author": "Zoé"}]
    rule = IdentityRule(("dump", *CONTENT))
    one, other = (ids(spark, records, rule, night) for night in (A_DAY, date(2026, 11, 21)))
    assert len({*one, *other}) == 6
    assert ids(spark, records, rule, A_DAY) == one


def test_an_unreadable_record_has_no_identity(spark: SparkSession) -> None:
    assert ids(spark, [{"problem": "not_json", "text": None}], BY_CONTENT) == [None]


def removed(spark: SparkSession, records: list[dict[str, Any]], identity: Identity) -> list[int]:
    rows = frame(spark, records)
    marked = rows.withColumn("gone", is_removed(rows, identity)).where("gone").orderBy("record_no").collect()
    return [row["record_no"] for row in marked]


def key(review_id: str) -> str:
    return contract.suppressed_key("review", "s", review_id)


def test_what_was_removed_stays_so_under_every_rule_that_the_source_had(spark: SparkSession) -> None:
    records = [{"own_id": "1", "item_id": "a"}, {"own_id": "1", "item_id": "b"}, {"own_id": "2", "item_id": "a"}]
    now = IdentityRule(("item_id", "own_id"))
    by_first = frozenset({key(ids(spark, records, FIRST)[0])})
    assert removed(spark, records, Identity(now, suppressed_keys=by_first)) == []
    assert removed(spark, records, Identity(now, former=(FIRST,), suppressed_keys=by_first)) == [1, 2]
    by_now = frozenset({key(ids(spark, records, now)[1])})
    assert removed(spark, records, Identity(now, former=(FIRST,), suppressed_keys=by_now)) == [2]


def test_of_equal_records_the_one_is_removed_that_was_meant(spark: SparkSession) -> None:
    records = [{"rating": 4.0}, {"rating": 4.0}, {"rating": 4.0}, {"rating": 2.0}]
    own = ids(spark, records, BY_CONTENT)
    for number in (0, 1, 2):
        identity = Identity(BY_CONTENT, suppressed_keys=frozenset({key(own[number])}))
        assert removed(spark, records, identity) == [number + 1]
