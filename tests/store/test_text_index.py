"""Texts are found without accents, as the reader sees them, and by the index once it was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
import sqlalchemy as sa
from sentiment import database, settings
from sentiment.database import transaction
from sentiment.scoring import registry
from sentiment.store import text_index

from tests.kit import nights
from tests.kit.databases import Database
from tests.kit.nights import NightSpec, publish_without_spark

WANTED = "100 % RATÉ\\_"


@pytest.fixture
def published(server: object) -> Iterator[str]:
    registry.register(registry.find("cinema-fr", settings.load()))
    night = date(2026, 5, 11)
    publish_without_spark(NightSpec("texts", night, nights.dump(night, 3)))
    with transaction("owner") as c:
        review_id = c.exec_driver_sql("SELECT min(review_id) FROM sentiment.review WHERE source = 'texts'").scalar_one()
        c.execute(
            sa.text("UPDATE sentiment.review SET text = :t WHERE review_id = :r"),
            {"t": "Un film 100 % raté\\_ hélas.", "r": review_id},
        )
        c.exec_driver_sql(MANY)
    with transaction("owner") as c:
        c.exec_driver_sql("ANALYZE sentiment.review, sentiment.review_sentiment")
    yield review_id
    text_index.drop()
    with transaction("owner") as c:
        c.exec_driver_sql("DELETE FROM sentiment.review_sentiment WHERE run_id = 'many'")
        c.exec_driver_sql("DELETE FROM sentiment.review WHERE run_id = 'many'")


MANY = """
WITH made AS (
  INSERT INTO sentiment.review (review_id, source, text, text_hash, content_hash, first_night, run_id)
  SELECT 'many-' || n, 'texts', sha256(n::text::bytea)::text, '', '', '2026-05-11', 'many'
  FROM generate_series(1, 20000) n RETURNING review_id)
INSERT INTO sentiment.review_sentiment (review_id, model_id, label, score, probabilities, n_wordpieces, n_chunks,
  text_hash, run_id)
SELECT review_id, 'cinema-fr', 'pos', 1, '{}', 1, 1, '', 'many' FROM made"""


def matches(wanted: str) -> list[str]:
    with transaction("reader") as c:
        query = sa.text("SELECT review_id FROM sentiment.search_reviews(:w)")
        return list(c.execute(query, {"w": wanted}).scalars())


def plan() -> str:
    with transaction("owner") as c:
        return "\n".join(c.exec_driver_sql("EXPLAIN SELECT * FROM sentiment.search_reviews('introuvable')").scalars())


def test_with_and_without_the_index(published: str) -> None:
    assert "review_words" not in plan()
    assert matches(WANTED) == [published]
    assert matches("100 % rate%") == []
    assert text_index.create() > 0
    assert text_index.create() > 0
    assert "review_words" in plan()
    assert matches(WANTED) == [published]
    assert matches("100 % rate%") == []


def test_a_build_that_was_stopped_is_done_anew(published: str, server: Database) -> None:
    text_index.create()
    superuser = sa.create_engine(server.server.url(str(database.url().database)), poolclass=sa.NullPool)
    with superuser.begin() as c:
        c.exec_driver_sql(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'sentiment.review_words'::regclass"
        )
    text_index.create()
    with transaction("owner") as c:
        query = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'sentiment.review_words'::regclass"
        assert c.exec_driver_sql(query).scalar_one()
