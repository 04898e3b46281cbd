"""Published nights scored by another model: side by side with the first, and shown only once complete."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
from sentiment import settings
from sentiment.errors import InfrastructureError, ParameterError
from sentiment.jobs import rescore
from sentiment.orchestration import rescoring
from sentiment.orchestration.rescoring import Request
from sentiment.runs import attempts, opening
from sentiment.runs.handoff import ReceivedDump
from sentiment.runs.model import Run
from sentiment.scoring import folders, registry
from sentiment.store import forgetting, publishing
from sentiment.store.forgetting import Target
from sentiment.workspace import Workspace

from tests.kit import nights
from tests.kit import rows as kit
from tests.kit.nights import NightSpec, publish_without_spark

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SOURCE, MODEL = "again", "second"
NIGHTS = (date(2026, 3, 2), date(2026, 3, 3))
REQUEST = Request(MODEL, SOURCE, NIGHTS[0], NIGHTS[1])


rows = partial(kit.rows, s=SOURCE, m=MODEL)
run_sql = partial(kit.run_sql, s=SOURCE, m=MODEL)


@pytest.fixture
def published(server: object) -> Iterator[None]:
    """Two nights by cinema-fr, of which the second changed some reviews; and another model that has scored nothing."""
    config = settings.load()
    registry.register(registry.find("cinema-fr", config))
    shutil.copytree(folders.BUNDLED / "cinema-fr", config.models / MODEL, dirs_exist_ok=True)
    with (config.models / MODEL / "assets" / "vocab.txt").open("a", encoding="utf-8") as vocabulary:
        vocabulary.write("[never used]\n")  # another fingerprint, the same ids
    for night in NIGHTS:
        publish_without_spark(NightSpec(SOURCE, night, nights.dump(night, 3)))
    yield
    run_sql("UPDATE sentiment.model SET is_current = false WHERE model_id = :m")
    run_sql("UPDATE sentiment.model SET is_current = true WHERE model_id = 'cinema-fr'")
    kit.remove_source(SOURCE)
    run_sql("DELETE FROM sentiment.model WHERE model_id = :m")
    shutil.rmtree(config.models / MODEL)


def by_model(query: str) -> dict[object, tuple[object, ...]]:
    """Rows of a query whose first column is the model."""
    return {model: values for model, *values in rows(query)}


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
    with attempts.attempt(run_id, "ingest") as attempt:
        attempt.handoff = ReceivedDump(sentences=True)
    shown, gone, signed = (str(row[0]) for row in rows(SHOWN, n=NIGHTS[1], r=run_id))
    run_sql("INSERT INTO sentiment.sentence_sentiment VALUES (:id, 'cinema-fr', 1, 0, 3, 'pos', 0.9)", id=shown)
    author = str(rows("SELECT author FROM sentiment.review WHERE review_id = :id", id=signed)[0][0])
    lacked = rescoring.missing(MODEL)
    suppressed = forgetting.suppressed_keys()
    forgetting.suppress(Target(gone, SOURCE, (author,)))
    try:
        rescore.work(spark, Request(MODEL, SOURCE, NIGHTS[1], NIGHTS[1]), Workspace(settings.load().lake))
    finally:
        run_sql("DELETE FROM sentiment.forgotten WHERE key_hash <> ALL (:keys)", keys=sorted(suppressed))
    there = rows("SELECT count(*) FROM sentiment.night_review WHERE source = :s AND night = :n", n=NIGHTS[1])[0][0]
    assert rows(SCORED, n=NIGHTS[1]) == [(there - 1, there - 1)]
    scores = rows("SELECT count(*) FROM sentiment.review_sentiment WHERE model_id = :m AND review_id = :id", id=gone)
    assert scores == [(0,)]
    still_lacked = rescoring.missing(MODEL)
    assert (lacked.sentences - still_lacked.sentences, lacked.nights - still_lacked.nights) == (1, 0), (
        "a night but for one review"
    )
    run_sql("DELETE FROM sentiment.night_review WHERE source = :s AND review_id = :id", id=gone)
    assert lacked.nights - rescoring.missing(MODEL).nights == 1, "the review is gone, so the night is complete"


SCORED = """
SELECT count(DISTINCT s.review_id), count(DISTINCT r.review_id) FROM sentiment.night_review n
LEFT JOIN sentiment.sentence_sentiment s ON s.review_id = n.review_id AND s.model_id = :m
LEFT JOIN sentiment.review_sentiment r ON r.review_id = n.review_id AND r.model_id = :m
WHERE n.source = :s AND n.night = :n"""
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
    for query in POPULATIONS:
        values = by_model(query)
        assert values["cinema-fr"] == values[MODEL], query
    profile = "SELECT count(*) FROM drift.profile_metrics WHERE source = :s AND model_id = :m"
    assert rows(profile)[0][0] > 0
    assert rows(DIFFERENT)[0][0] > 0


POPULATIONS = (
    """
SELECT model_id, jsonb_agg(jsonb_build_array(night, item_id, n, n_fresh) ORDER BY night, item_id)
FROM sentiment.film_night WHERE source = :s GROUP BY 1""",
    """
SELECT model_id, jsonb_agg(jsonb_build_array(review_id, text_hash) ORDER BY review_id)
FROM sentiment.review_sentiment JOIN sentiment.review USING (review_id, text_hash) WHERE source = :s GROUP BY 1""",
    """
SELECT x.model_id, jsonb_agg(DISTINCT v.content_hash ORDER BY v.content_hash) FROM sentiment.review_version v
CROSS JOIN jsonb_to_recordset(v.sentiments) AS x(model_id text) WHERE v.source = :s GROUP BY 1""",
)
DIFFERENT = """
SELECT count(*) FROM sentiment.review_sentiment a JOIN sentiment.review_sentiment b USING (review_id)
JOIN sentiment.review r USING (review_id)
WHERE r.source = :s AND a.model_id = 'cinema-fr' AND b.model_id = :m AND a.p_positive <> b.p_positive"""


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
