"""Published nights scored by another model: side by side with the first, and shown only once complete."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from sentiment import settings
from sentiment.database import transaction
from sentiment.errors import InfrastructureError, ParameterError
from sentiment.jobs import rescore
from sentiment.orchestration import rescoring
from sentiment.orchestration.rescoring import Request
from sentiment.runs import attempts, opening
from sentiment.runs.handoff import ReceivedDump
from sentiment.runs.model import Run
from sentiment.scoring import registry
from sentiment.store import forgetting, publishing
from sentiment.store.forgetting import Target
from sentiment.workspace import Workspace

from tests.kit import nights
from tests.kit.nights import NightSpec, publish_without_spark

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SOURCE, MODEL = "again", "second"
NIGHTS = (date(2026, 3, 2), date(2026, 3, 3))
REQUEST = Request(MODEL, SOURCE, NIGHTS[0], NIGHTS[1])


def rows(query: str, **values: object) -> list[tuple[object, ...]]:
    names = {"s": SOURCE, "m": MODEL, **values}
    with transaction("owner") as c:
        return [tuple(row) for row in c.execute(sa.text(query), names)]


def run_sql(query: str, **values: object) -> None:
    with transaction("owner") as c:
        c.execute(sa.text(query), {"s": SOURCE, "m": MODEL, **values})


@pytest.fixture
def published(server: object) -> Iterator[None]:
    """Two nights by cinema-fr, of which the second changed some reviews; and another model that has scored nothing."""
    config = settings.load()
    registry.register(registry.find("cinema-fr", config))
    shutil.copytree(registry.BUNDLED / "cinema-fr", config.models / MODEL, dirs_exist_ok=True)
    with (config.models / MODEL / "assets" / "vocab.txt").open("a", encoding="utf-8") as vocabulary:
        vocabulary.write("[never used]\n")  # another fingerprint, the same ids
    for night in NIGHTS:
        publish_without_spark(NightSpec(SOURCE, night, nights.dump(night, 3)))
    yield
    run_sql("UPDATE sentiment.model SET is_current = false WHERE model_id = :m")
    run_sql("UPDATE sentiment.model SET is_current = true WHERE model_id = 'cinema-fr'")
    of_source = "run_id IN (SELECT run_id FROM sentiment.run WHERE source = :s)"
    run_sql("DELETE FROM sentiment.sentence_sentiment")
    for table in ("review_sentiment", "night_review", "film_night", "review", "review_version", "quarantine"):
        run_sql(f"DELETE FROM sentiment.{table} WHERE {of_source}")
    for table in ("drift.profile_metrics", "drift.canary", "sentiment.run_step", "sentiment.item", "sentiment.run"):
        run_sql(f"DELETE FROM {table} WHERE {of_source}")
    run_sql("DELETE FROM sentiment.model WHERE model_id = :m")
    shutil.rmtree(config.models / MODEL)


def by_model(query: str) -> dict[object, tuple[object, ...]]:
    """Rows of a query whose first column is the model."""
    return {model: values for model, *values in rows(query)}  # type: ignore[misc]


def test_nights_by_another_model_side_by_side(
    published: None, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows("SELECT md5(string_agg(v::text, '|' ORDER BY v::text)) FROM sentiment.v_review_sentiment v")
    merge, workspace, lacked = publishing.merge, Workspace(settings.load().lake), rescoring.missing(MODEL)

    def fails_for_the_older(run: Run, attempt: attempts.Attempt, expected: publishing.Expected) -> None:
        if run.night == NIGHTS[0]:
            raise InfrastructureError("the server is away")
        merge(run, attempt, expected)

    with monkeypatch.context() as patched:
        patched.setattr(publishing, "merge", fails_for_the_older)
        with pytest.raises(InfrastructureError, match="away"):
            rescore.work(spark, REQUEST, workspace)
    failed = rows(
        "SELECT s.error_kind, s.error FROM sentiment.run_step s JOIN sentiment.run r USING (run_id) "
        "WHERE s.step = 'rescore' AND s.state = 'failed' AND r.model_id = :m",
        m=MODEL,
    )
    assert failed == [("InfrastructureError", "the server is away")]
    assert [pending.night for pending in rescoring.pending(REQUEST)] == [NIGHTS[0]]
    with pytest.raises(ParameterError, match=MODEL):
        rescoring.use(MODEL)

    assert rescore.work(spark, REQUEST, workspace) == 1
    assert rescore.work(spark, REQUEST, workspace) == 0
    for night in NIGHTS:
        counts = opening.get_run(run_of(night)).counts
        assert counts["read"] == counts["accepted"] == counts["scored"] + counts["reused"] == counts["published"] > 0
    assert opening.get_run(run_of(NIGHTS[0])).counts["reused"] > 0, "what both nights hold is scored once"
    assert_same_population()
    assert before == rows("SELECT md5(string_agg(v::text, '|' ORDER BY v::text)) FROM sentiment.v_review_sentiment v")
    still_lacked = rescoring.missing(MODEL)
    assert (lacked.nights - still_lacked.nights, lacked.reviews - still_lacked.reviews) == (2, n_shown())
    assert "2 nights of again" in rescoring.report(MODEL, SOURCE, *NIGHTS)
    assert rescoring.use(MODEL, anyway=still_lacked.nights > 0) == still_lacked  # other tests may have published nights
    assert rows("SELECT DISTINCT model_id FROM sentiment.v_review_sentiment") == [(MODEL,)]
    assert f"sentiment model use {MODEL}" not in rescoring.report(MODEL, SOURCE, *NIGHTS)


def test_sentences_are_scored_too_and_forgotten_reviews_are_not(published: None, spark: SparkSession) -> None:
    run_id = str(rows(RUN, n=NIGHTS[1])[0][0])
    with attempts.attempt(run_id, "find_dump") as attempt:
        attempt.handoff = ReceivedDump(sentences=True)
    shown, gone, signed = (str(row[0]) for row in rows(SHOWN, n=NIGHTS[1], r=run_id))
    run_sql("INSERT INTO sentiment.sentence_sentiment VALUES (:id, 'cinema-fr', 1, 0, 3, 'pos', 0.9)", id=shown)
    author = str(rows("SELECT author FROM sentiment.review WHERE review_id = :id", id=signed)[0][0])
    lacked = rescoring.missing(MODEL)
    forgetting.suppress(Target(gone, SOURCE, (author,)))
    try:
        rescore.work(spark, Request(MODEL, SOURCE, NIGHTS[1], NIGHTS[1]), Workspace(settings.load().lake))
    finally:
        run_sql("DELETE FROM sentiment.forgotten")
    by_both = "SELECT count(DISTINCT e.review_id) FROM sentiment.{} e JOIN sentiment.night_review n USING (review_id) "
    by_both += "WHERE e.model_id = :m AND n.source = :s AND n.night = :n"
    scored = [rows(by_both.format(table), n=NIGHTS[1])[0][0] for table in ("sentence_sentiment", "review_sentiment")]
    there = rows("SELECT count(*) FROM sentiment.night_review WHERE source = :s AND night = :n", n=NIGHTS[1])[0][0]
    assert scored == [there - 1, there - 1]  # type: ignore[operator]
    scores = rows("SELECT count(*) FROM sentiment.review_sentiment WHERE model_id = :m AND review_id = :id", id=gone)
    assert scores == [(0,)]
    still_lacked = rescoring.missing(MODEL)
    assert (lacked.sentences - still_lacked.sentences, lacked.nights - still_lacked.nights) == (1, 0), (
        "a night but for one review"
    )
    run_sql("DELETE FROM sentiment.night_review WHERE source = :s AND review_id = :id", id=gone)
    assert lacked.nights - rescoring.missing(MODEL).nights == 1, "the review is gone, so the night is complete"


RUN = "SELECT run_id FROM sentiment.run WHERE source = :s AND model_id = 'cinema-fr' AND night = :n"
SHOWN = """
SELECT review_id FROM sentiment.review JOIN sentiment.night_review n USING (review_id, content_hash)
WHERE n.night = :n AND author IS NOT NULL AND review.run_id = :r ORDER BY review_id LIMIT 3"""


def n_shown() -> object:
    return rows("SELECT count(*) FROM sentiment.review WHERE source = :s")[0][0]


def run_of(night: date) -> str:
    return str(
        rows("SELECT run_id FROM sentiment.run WHERE source = :s AND model_id = :m AND night = :n", n=night)[0][0]
    )


def assert_same_population() -> None:
    """Both models have scored the same reviews, versions and nights, and predict otherwise for some."""
    films = "SELECT model_id, jsonb_agg(jsonb_build_array(night, item_id, n, n_fresh) ORDER BY night, item_id) "
    films += "FROM sentiment.film_night WHERE source = :s GROUP BY 1"
    scored = "SELECT model_id, jsonb_agg(jsonb_build_array(review_id, text_hash) ORDER BY review_id) "
    scored += "FROM sentiment.review_sentiment JOIN sentiment.review USING (review_id, text_hash) "
    scored += "WHERE source = :s GROUP BY 1"
    versions = (
        "SELECT x.model_id, jsonb_agg(DISTINCT v.content_hash ORDER BY v.content_hash) FROM sentiment.review_version v "
    )
    versions += "CROSS JOIN jsonb_to_recordset(v.sentiments) AS x(model_id text) WHERE v.source = :s GROUP BY 1"
    profile = "SELECT model_id, count(*) FROM drift.profile_metrics WHERE source = :s AND model_id = :m GROUP BY 1"
    for query in (films, scored, versions):
        values = by_model(query)
        assert values["cinema-fr"] == values[MODEL], query
    assert by_model(profile)[MODEL][0]
    differ = "SELECT count(*) FROM sentiment.review_sentiment a JOIN sentiment.review_sentiment b USING (review_id) "
    differ += "JOIN sentiment.review r USING (review_id) WHERE r.source = :s AND a.model_id = 'cinema-fr' "
    differ += "AND b.model_id = :m AND a.p_positive <> b.p_positive"
    assert rows(differ)[0][0] > 0  # type: ignore[operator]


@pytest.mark.parametrize(
    ("first", "last"),
    [(NIGHTS[1], NIGHTS[0]), (NIGHTS[0], date(2999, 1, 1))],
)
def test_ranges_that_are_none(first: date, last: date) -> None:
    with pytest.raises(ParameterError, match="--from") as refused:
        Request(MODEL, SOURCE, first, last)
    assert refused.value.try_next.startswith("sentiment rescore --model second --from")


def test_models_that_cannot_be_used(published: None) -> None:
    with pytest.raises(ParameterError, match="'none'"):
        rescoring.use("none")
    rescoring.pending(REQUEST)
    with pytest.raises(ParameterError, match=MODEL) as refused:
        rescoring.use(MODEL)
    assert "sentiment model use second --anyway" in refused.value.try_next
    registry.retire(MODEL)
    with pytest.raises(ParameterError, match=MODEL):
        rescoring.use(MODEL, anyway=True)
    with pytest.raises(ParameterError, match=MODEL):
        rescoring.pending(REQUEST)
    assert rows("SELECT model_id FROM sentiment.model WHERE is_current") == [("cinema-fr",)]


def test_an_unknown_model_is_refused_before_spark() -> None:
    with pytest.raises(ParameterError, match="'gpt'"):
        rescoring.pending(Request("gpt", SOURCE, *NIGHTS))


def test_nights_that_retention_dropped_are_not_pending(published: None) -> None:
    run_sql("DELETE FROM sentiment.night_review WHERE source = :s AND night = :n", n=NIGHTS[1])
    assert [pending.night for pending in rescoring.pending(REQUEST)] == [NIGHTS[1] - timedelta(days=1)]
