"""The oracle of the kill matrix: it sees what is wrong, table by table, and knows old from new."""

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


SPOILT = {
    "review": "UPDATE sentiment.review SET rating = 0.5 WHERE review_id = :id",
    "night_review": "DELETE FROM sentiment.night_review WHERE review_id = :id",
    "review_sentiment": "UPDATE sentiment.review_sentiment SET p_positive = 0.5 WHERE review_id = :id",
    "film_night": "UPDATE sentiment.film_night SET n = n + 1 WHERE run_id = :run_id",
    "run": "UPDATE sentiment.run SET rows_published = 1 WHERE run_id = :run_id",
    "quarantine": "UPDATE sentiment.quarantine SET raw = 'x' WHERE run_id = :run_id",
}


@pytest.mark.parametrize("table", SPOILT)
def test_the_oracle_sees_what_is_wrong(table: str) -> None:
    attempt = nights.Attempt(f"oracle_{table}", nights.FIRST, nights.dump(nights.FIRST, 77))
    nights.publish_without_spark(attempt)
    told = oracle.Oracle(attempt.source, nights.made_up_probability, whole=False)
    told.publish(attempt.night, attempt.dump)
    assert told.violations() == []
    with transaction("owner") as c:
        query = "SELECT min(review_id) AS id, min(run_id) AS run_id FROM sentiment.night_review WHERE source = :s"
        names = c.execute(sa.text(query), {"s": attempt.source}).mappings().one()
        c.execute(sa.text(SPOILT[table]), dict(names))
    assert any(words.startswith(f"{attempt.source}: {table}") for words in told.violations())
    with transaction("owner") as c:
        for spoilt in ("night_review", "film_night"):
            c.execute(sa.text(f"DELETE FROM sentiment.{spoilt} WHERE source = :s"), {"s": attempt.source})
        c.execute(sa.text("UPDATE sentiment.run SET status = 'failed' WHERE source = :s"), {"s": attempt.source})


def test_the_oracle_knows_an_older_night_from_a_newer_one() -> None:
    attempt = nights.Attempt("order", nights.FIRST, nights.dump(nights.FIRST, 78))
    later = nights.Attempt("order", nights.FIRST + timedelta(days=1), nights.dump(nights.FIRST + timedelta(days=1), 78))
    told = oracle.Oracle("order", nights.made_up_probability, whole=False)
    for one in (attempt, later):
        told.publish(one.night, one.dump)
    novelty = set(told.nights[later.night].novelty.values())
    assert novelty == {"new", "known", "changed"}
