"""The oracle of the kill matrix: it reports what is wrong in each table, and decides novelty by earlier nights."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sentiment import settings
from sentiment.database import transaction
from sentiment.scoring import registry

from tests.kit import nights, oracle


@pytest.fixture(scope="module", autouse=True)
def model(server: object) -> None:
    registry.register(registry.find("cinema-fr", settings.load()))


SPOILED = {
    "review": "UPDATE sentiment.review SET rating = 0.5 WHERE review_id = :id",
    "night_review": "DELETE FROM sentiment.night_review WHERE review_id = :id",
    "review_sentiment": "UPDATE sentiment.review_sentiment SET p_positive = 0.5 WHERE review_id = :id",
    "film_night": "UPDATE sentiment.film_night SET n = n + 1 WHERE run_id = :run_id",
    "run": "UPDATE sentiment.run SET rows_published = 1 WHERE run_id = :run_id",
    "quarantine": "UPDATE sentiment.quarantine SET raw = 'x' WHERE run_id = :run_id",
}
UNPUBLISH = (
    "DELETE FROM sentiment.night_review WHERE source = :source",
    "DELETE FROM sentiment.film_night WHERE source = :source",
    "UPDATE sentiment.run SET status = 'failed' WHERE source = :source",
)


@pytest.mark.parametrize("table", SPOILED)
def test_a_spoiled_table_is_a_violation(table: str) -> None:
    spec = nights.NightSpec(f"oracle_{table}", nights.FIRST, nights.dump(nights.FIRST, 77))
    nights.publish_without_spark(spec)
    expected = oracle.Oracle(spec.source, nights.hashed_probability, all_steps=False)
    expected.publish(spec.night, spec.dump)
    assert expected.violations() == []
    with transaction("owner") as c:
        query = "SELECT min(review_id) AS id, min(run_id) AS run_id FROM sentiment.night_review WHERE source = :s"
        ids = c.execute(sa.text(query), {"s": spec.source}).mappings().one()
        c.execute(sa.text(SPOILED[table]), dict(ids))
    assert any(violation.startswith(f"{spec.source}: {table}") for violation in expected.violations())
    # Another test's reader takes any run that doesn't add up for a partly published one.
    with transaction("owner") as c:
        for statement in UNPUBLISH:
            c.execute(sa.text(statement), {"source": spec.source})


def test_the_oracle_decides_novelty_by_earlier_nights() -> None:
    first = nights.NightSpec("order", nights.FIRST, nights.dump(nights.FIRST, 78))
    second_night = nights.FIRST + timedelta(days=1)
    second = nights.NightSpec("order", second_night, nights.dump(second_night, 78))
    expected = oracle.Oracle("order", nights.hashed_probability, all_steps=False)
    for spec in (first, second):
        expected.publish(spec.night, spec.dump)
    assert set(expected.nights[second.night].novelty.values()) == {"new", "known", "changed"}
