"""Digests of tables are equal where nights left the same, and differ where one value does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from typing import Any

import psycopg2
import pytest
from sentiment import database, settings
from sentiment.scoring import registry

from tests.kit import digests, nights
from tests.kit.digests import Contents, compare
from tests.kit.nights import NightSpec, publish_without_spark
from tests.kit.rows import run_sql

SOURCE, OTHER = "digested", "other_digested"
NIGHTS = (date(2026, 5, 4), date(2026, 5, 5))
SAME = {
    "ids of runs": "UPDATE sentiment.quarantine SET requeued_in = 'another'",
    "times": "UPDATE sentiment.review_sentiment SET scored_at = scored_at + interval '1 day'",
    "the last bits of a float": "UPDATE sentiment.film_night SET sum_logit = sum_logit + 1e-13",
    "another source": "UPDATE sentiment.film_night SET n = n + 1 WHERE source = 'other_digested'",
}
DIFFERENT = {
    "sentiment.review": "UPDATE sentiment.review SET text = text || '.' WHERE source = :s",
    "sentiment.film_night": "UPDATE sentiment.film_night SET sum_logit = sum_logit + 1e-7 WHERE source = :s",
    "sentiment.night_review": "DELETE FROM sentiment.night_review WHERE source = :s AND night = '2026-05-05'",
    "sentiment.quarantine": "UPDATE sentiment.quarantine SET raw = '' WHERE record_no % 2 = 0",
    "sentiment.review_sentiment": "UPDATE sentiment.review_sentiment SET probabilities = jsonb_set(probabilities, "
    "'{neg}', to_jsonb((probabilities->>'neg')::float + 1e-6))",
}


@pytest.fixture(scope="module", autouse=True)
def _published(server: object) -> None:
    registry.register(registry.find(nights.MODEL, settings.load()))
    for source in (SOURCE, OTHER):
        for night in NIGHTS:
            publish_without_spark(NightSpec(source, night, nights.dump(night, 5)))


@pytest.fixture
def connection(server: object) -> Iterator[Any]:
    address = database.url("owner").set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(psycopg2.connect(address)) as connection:
        yield connection


@pytest.mark.parametrize("statement", SAME.values(), ids=SAME)
def test_ids_times_and_other_sources_do_not_count(statement: str, connection: Any) -> None:
    before = digests.digests(connection, SOURCE)
    run_sql(statement)
    assert digests.digests(connection, SOURCE) == before


@pytest.mark.parametrize("table", DIFFERENT)
def test_one_value_makes_another_digest_of_its_table_alone(table: str, connection: Any) -> None:
    before = digests.of_source(connection, SOURCE)
    assert before[table].rows
    run_sql(DIFFERENT[table], **({"s": SOURCE} if ":s" in DIFFERENT[table] else {}))
    compared = compare(before, digests.of_source(connection, SOURCE))
    assert [difference.table for difference in compared if not difference.is_equal] == [table]


def test_only_columns_of_both_are_compared() -> None:
    first = {"t": Contents(frozenset({"a", "b"}), ({"a": 1, "b": 2},))}
    second = {"t": Contents(frozenset({"a"}), ({"a": 1},))}
    (difference,) = compare(first, second)
    assert (difference.is_equal, difference.only_one_has) == (True, frozenset({"b"}))
