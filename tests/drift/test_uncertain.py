"""The share of uncertain reviews counts by the band that the reference froze: as nights come, when pinned, once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
from sentiment import settings
from sentiment.database import transaction
from sentiment.drift import bands, confidence, reference, renewal, tracking
from sentiment.drift.history import Stream
from sentiment.labels import Band

from tests.kit import stored_nights
from tests.kit.stored_nights import AUDIENCE, FIRST, N_REFERENCE, simulated

pytestmark = pytest.mark.usefixtures("server")

_NUMBERS = count(1)
N_REVIEWS, N_FILMS, N_KNOWN = 60, 7, 5
"""New reviews of a night, films they are of, and known reviews that the night lists beside them."""
CALIBRATED: Band = (1 / (1 + math.exp(1.0)), 1 / (1 + math.exp(-1.0)))
"""By hand: `HALF_POSITIVE` leaves the calibrated .5 between logits -1 and 1; below it is .1, above .9."""

# Review n of night d; `probability` repeats the arithmetic.
WRITE_NIGHT = (
    "SELECT sentiment.ensure_month(:night)",
    """
INSERT INTO sentiment.review (review_id, source, item_id, text, text_hash, content_hash, first_night, run_id)
SELECT md5(:source || :d || '-' || n), :source, 'f' || n % :films, 't', 't', 'c', :night, 'r'
FROM generate_series(0, :n - 1) AS n""",
    """
INSERT INTO sentiment.review_sentiment (review_id, model_id, label, score, p_positive, probabilities, n_wordpieces,
  n_chunks, text_hash, run_id)
SELECT md5(:source || :d || '-' || n), :model_id, 'pos', 0.9, (n * 7919 + :d * 10007) % 1000 / 1000.0, '{}', 3, 1, 't',
  'r'
FROM generate_series(0, :n - 1) AS n""",
    """
INSERT INTO sentiment.night_review (night, source, file_no, record_no, review_id, content_hash, novelty, run_id)
SELECT :night, :source, 0, n + 1, md5(:source || :d || '-' || n), 'c', (ARRAY['new', 'changed'])[1 + n % 2], 'r'
FROM generate_series(0, :n - 1) AS n
UNION ALL
SELECT :night, :source, 1, n + 1, md5(:source || (:d - 1) || '-' || n), 'c', 'known', 'r'
FROM generate_series(0, :known - 1) AS n""",
    """
UPDATE drift.profile_metrics SET n = :n, n_null = 0, avg = :k / cast(:n AS float), stddev = 0.4,
  bin_counts = ARRAY[0, :n - :k, :k]
WHERE source = :source AND night = :night AND column_name = 'uncertain'""",
)
HALF_POSITIVE = """
UPDATE drift.profile_metrics SET bin_counts[10:11] = (
  SELECT ARRAY[bin_counts[10] / 2, bin_counts[11] / 2] FROM drift.profile_metrics l
  WHERE l.source = p.source AND l.night = p.night AND l.column_name = 'labelled_logit')
FROM drift.profile_metrics p
WHERE p.source = :source AND p.column_name = 'positive_logit' AND p.night = profile_metrics.night
  AND profile_metrics.source = :source AND profile_metrics.column_name = 'positive_logit'"""
DELETE_REVIEWS = (
    "DELETE FROM sentiment.review_sentiment USING sentiment.review r WHERE r.source = :source "
    "AND review_sentiment.review_id = r.review_id",
    "DELETE FROM sentiment.review WHERE source = :source",
    "DELETE FROM sentiment.review_version WHERE source = :source",
    "DELETE FROM sentiment.night_review WHERE source = :source",
)
PROFILES = """
SELECT night, slice_key, slice_value, column_name, n, n_null, avg, stddev, min, max, edges_id, bin_counts, n_items,
  sum_item_sq, sum_item_cross, sum_item_n_sq, run_id, band_low, band_high
FROM drift.profile_metrics WHERE source = :source ORDER BY night, slice_key, slice_value, column_name"""
METRICS = """
SELECT * FROM drift.drift_metrics WHERE source = :source AND column_name <> 'uncertain'
ORDER BY night, slice_key, slice_value, column_name, drift_type, reference_id, revision"""
STATUSES = """
SELECT night, status, z FROM drift.v_drift
WHERE source = :source AND drift_type = 'BASELINE' AND column_name = 'uncertain' ORDER BY night"""


def probability(d: int, n: int) -> float:
    return (n * 7919 + d * 10007) % 1000 / 1000.0


def uncertain(d: int, band: Band) -> int:
    """Return how many new reviews of night d are uncertain."""
    return sum(band[0] <= probability(d, n) <= band[1] for n in range(N_REVIEWS))


@pytest.fixture
def stream() -> Iterator[Stream]:
    stream = Stream(f"unsure{next(_NUMBERS)}", "unsure-model")
    yield stream
    with transaction("owner") as c:
        for statement in DELETE_REVIEWS:
            c.execute(sa.text(statement), stream.keys)
    stored_nights.remove(stream)


@pytest.fixture
def dates(stream: Stream) -> list[date]:
    """Published nights whose reviews are stored, counted by an earlier version."""
    dates = stored_nights.put(stream, FIRST, AUDIENCE, simulated())
    with transaction("owner") as c:
        for d, night in enumerate(dates):
            params = {**stream.keys, "d": d, "night": night, "n": N_REVIEWS, "films": N_FILMS, "known": N_KNOWN}
            for statement in WRITE_NIGHT:
                c.execute(sa.text(statement), {**params, "k": uncertain(d, bands.UNRECORDED)})
        c.execute(sa.text(HALF_POSITIVE), stream.keys)
    return dates


def rows(query: str, stream: Stream) -> list[tuple[Any, ...]]:
    with transaction() as c:
        return [tuple(row) for row in c.execute(sa.text(query), stream.keys)]


def write(statement: str, stream: Stream, **params: object) -> None:
    with transaction("owner") as c:
        c.execute(sa.text(statement), {**stream.keys, **params})


def of_others(profiles: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [row for row in profiles if row[3] != "uncertain"]


@pytest.mark.heavy
def test_pinning_counts_stored_nights_by_the_calibrated_band_and_changes_no_other_figure(
    stream: Stream, dates: list[date]
) -> None:
    tracking.replay(stream, dates[0], None)
    profiles, metrics = rows(PROFILES, stream), rows(METRICS, stream)
    pinned = reference.pin(stream, dates[0], dates[N_REFERENCE - 1])
    assert pinned.band == pytest.approx(CALIBRATED)
    now = rows(PROFILES, stream)
    assert of_others(now) == of_others(profiles)
    assert rows(METRICS, stream) == metrics
    assert stored_nights.visible_rows(stream)["alarm"] == []
    for d, row in enumerate(row for row in now if row[3] == "uncertain"):
        assert row == (dates[d], *bands.UNCERTAIN, *by_hand(d, pinned.band))
    means = [uncertain(d, pinned.band) / N_REVIEWS for d in range(N_REFERENCE)]
    assert pinned.model.mean[pinned.series.index(bands.UNCERTAIN)] == pytest.approx(sum(means) / len(means))
    tracking.replay(stream, dates[N_REFERENCE], None)
    assert {status for _, status, _ in rows(STATUSES, stream)[N_REFERENCE:]} == {"ok"}
    assert rows(PROFILES, stream) == now


def by_hand(d: int, band: Band) -> tuple[Any, ...]:
    """Return the columns of `PROFILES` after the series' name."""
    films = [[float(band[0] <= probability(d, n) <= band[1]) for n in range(f, N_REVIEWS, N_FILMS)] for f in range(7)]
    k, n = sum(map(sum, films)), float(N_REVIEWS)
    moments = (k / n, math.sqrt(k / n - k / n * (k / n)), 0.0, 1.0)
    sums = tuple(sum(term(sum(film), len(film)) for film in films) for term in (square, product, size_square))
    return (N_REVIEWS, 0, *moments, "edges-2", [0, n - k, k], N_FILMS, *sums, "r", *band)


def square(total: float, n: float) -> float:
    return total * total


def product(total: float, n: float) -> float:
    return total * n


def size_square(total: float, n: float) -> float:
    return n * n


def test_a_night_without_its_scores_is_insufficient_data_in_this_series_alone(
    stream: Stream, dates: list[date]
) -> None:
    lost, partly = dates[N_REFERENCE + 2], dates[N_REFERENCE + 4]
    write(FORGET_SCORES, stream, night=lost, n=N_REVIEWS)
    write(FORGET_SCORES, stream, night=partly, n=1)
    pinned = reference.pin(stream, dates[0], dates[N_REFERENCE - 1])
    tracking.replay(stream, dates[N_REFERENCE], None)
    statuses = {night: (status, z is None) for night, status, z in rows(STATUSES, stream)}
    assert {night for night, status in statuses.items() if status != ("ok", False)} == {lost, partly}
    assert statuses[lost] == statuses[partly] == ("insufficient_data", True)
    assert len(rows(INSUFFICIENT, stream)) == 2
    assert bands.UNCERTAIN in pinned.series
    write(FORGET_SCORES, stream, night=dates[N_REFERENCE], n=N_REVIEWS)
    before = stored_nights.visible_rows(stream)
    tracking.replay(stream, dates[N_REFERENCE], None)
    assert stored_nights.visible_rows(stream) == before, "what was counted stays counted"


FORGET_SCORES = """
DELETE FROM sentiment.review_sentiment WHERE review_id IN (
  SELECT review_id FROM sentiment.night_review
  WHERE source = :source AND night = :night AND novelty <> 'known' ORDER BY record_no LIMIT :n)"""
INSUFFICIENT = """
SELECT night, column_name FROM drift.v_drift WHERE source = :source AND drift_type = 'BASELINE'
  AND status = 'insufficient_data' AND reference_id <> '' AND slice_key = 'all'"""


def test_without_any_score_the_series_is_not_judged_and_the_others_are(stream: Stream, dates: list[date]) -> None:
    write("DELETE FROM sentiment.review_sentiment WHERE model_id = :model_id", stream)
    pinned = reference.pin(stream, dates[0], dates[N_REFERENCE - 1])
    assert bands.UNCERTAIN not in pinned.series
    statuses = tracking.replay(stream, dates[N_REFERENCE], None)
    assert {status for _, status, _ in rows(STATUSES, stream)} == {"insufficient_data"}
    assert min(counter["ok"] for counter in statuses.values()) > 10


def test_the_score_of_a_version_no_longer_shown_is_counted(stream: Stream, dates: list[date]) -> None:
    write(CHANGE_LATER, stream, night=dates[3], others='[{"model_id": "other", "p_positive": 0.01}]')
    reference.pin(stream, dates[0], dates[N_REFERENCE - 1])
    (row,) = (row for row in rows(PROFILES, stream) if row[3] == "uncertain" and row[0] == dates[3])
    band = row[-2:]
    expected = uncertain(3, band) - (band[0] <= probability(3, 0) <= band[1]) + 1
    assert row[11] == [0, N_REVIEWS - expected, expected]
    assert band == pytest.approx(CALIBRATED)


# The first review of the night, which had .5 then, is shown with another text and score now.
CHANGE_LATER = """
WITH first AS (
  SELECT review_id FROM sentiment.night_review
  WHERE source = :source AND night = :night AND novelty = 'new' ORDER BY record_no LIMIT 1), kept AS (
  INSERT INTO sentiment.review_version (review_id, source, item_id, text, text_hash, content_hash, run_id, sentiments)
  SELECT review_id, source, item_id, text, text_hash, content_hash, run_id,
    cast(:others AS jsonb) || jsonb_build_array(jsonb_build_object('model_id', :model_id, 'p_positive', 0.5))
  FROM sentiment.review JOIN first USING (review_id))
UPDATE sentiment.review SET text_hash = 'u', content_hash = 'd' FROM first WHERE first.review_id = review.review_id"""


def test_a_night_counted_before_the_pin_and_published_after_it_is_counted_anew(
    stream: Stream, dates: list[date]
) -> None:
    reference.pin(stream, dates[0], dates[N_REFERENCE - 1])
    before = rows(PROFILES, stream)
    write(COUNT_OTHERWISE, stream, night=dates[-1])
    assert rows(PROFILES, stream) != before
    tracking.replay(stream, dates[-1], None)
    assert rows(PROFILES, stream) == before


COUNT_OTHERWISE = """
UPDATE drift.profile_metrics SET bin_counts = '{0,0,60}', avg = 1, band_low = NULL, band_high = NULL
WHERE source = :source AND night = :night AND column_name = 'uncertain'"""


def test_the_band_is_frozen_and_the_same_for_nights_and_for_views(
    stream: Stream, dates: list[date], monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned = reference.pin(stream, dates[0], dates[N_REFERENCE - 1])
    monkeypatch.setattr(settings.load(), "uncertain_low", 0.05)
    monkeypatch.setattr(settings.load(), "uncertain_high", 0.99)
    assert confidence.band_of(stream) == pinned.band
    with transaction() as c:
        confidence.note(c, stream)
    assert rows(MODELS_BAND, stream) == [pinned.band]
    assert confidence.band_of_model(stream.model_id) == pinned.band
    assert confidence.band_of_model("no-such-model") is None
    assert confidence.band_of(Stream("nobody", stream.model_id)) == (0.05, 0.99)
    other = reference.pin(stream, dates[0], dates[N_REFERENCE - 1])
    assert other.band[0] < pinned.band[0]
    assert other.band[1] > pinned.band[1]
    assert other.reference_id != pinned.reference_id


MODELS_BAND = "SELECT uncertain_low, uncertain_high FROM sentiment.model WHERE model_id = :model_id"


def pinned_by_an_earlier_version(
    stream: Stream, dates: list[date], monkeypatch: pytest.MonkeyPatch
) -> reference.Reference:
    """Pin a reference without a band of its own and judge the nights after it."""
    with monkeypatch.context() as patched:
        patched.setattr(bands, "of_settings", lambda calibrator: bands.UNRECORDED)
        old = reference.pin(stream, dates[0], dates[N_REFERENCE - 1])
        tracking.replay(stream, dates[N_REFERENCE], None)
    write("UPDATE drift.reference SET frozen = frozen - 'band' WHERE source = :source", stream)
    return old


def test_a_reference_of_an_earlier_version_is_renewed_once_and_no_other_series_changes(
    stream: Stream, dates: list[date], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = pinned_by_an_earlier_version(stream, dates, monkeypatch)
    profiles, metrics, performance = rows(PROFILES, stream), rows(METRICS, stream), performance_of(stream)
    z_before = [z for _, _, z in rows(STATUSES, stream)]

    assert stream in renewal.renew()
    assert of_others(rows(PROFILES, stream)) == of_others(profiles)
    assert rows(METRICS, stream) == metrics
    assert performance_of(stream) == performance
    assert stored_nights.visible_rows(stream)["alarm"] == []
    assert {status for _, status, _ in rows(STATUSES, stream)} == {"ok"}
    assert [z for _, _, z in rows(STATUSES, stream)] != z_before
    renewed = reference.find(old.reference_id)
    assert renewed.band == pytest.approx(CALIBRATED)
    frozen, frozen_before = reference.as_json(renewed), reference.as_json(old)
    i = old.series.index(bands.UNCERTAIN)
    assert without(frozen, i) == without(frozen_before, i)
    means = [uncertain(d, renewed.band) / N_REVIEWS for d in range(N_REFERENCE)]
    assert renewed.model.mean[i] == pytest.approx(sum(means) / len(means))

    state = rows(PROFILES, stream), stored_nights.visible_rows(stream)
    assert stream not in renewal.renew()
    tracking.replay(stream, dates[N_REFERENCE], None)
    assert (rows(PROFILES, stream), stored_nights.visible_rows(stream)) == state


def test_a_renewed_reference_without_scores_judges_the_other_series_alone(
    stream: Stream, dates: list[date], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = pinned_by_an_earlier_version(stream, dates, monkeypatch)
    write("DELETE FROM sentiment.review_sentiment WHERE model_id = :model_id", stream)
    profiles, metrics = rows(PROFILES, stream), rows(METRICS, stream)
    assert stream in renewal.renew()
    assert (rows(PROFILES, stream), rows(METRICS, stream)) == (profiles, metrics)
    assert {status for _, status, _ in rows(STATUSES, stream)} == {"insufficient_data"}
    assert len(reference.table(reference.find(old.reference_id))) == old.n_series


def performance_of(stream: Stream) -> list[tuple[Any, ...]]:
    return stored_nights.visible_rows(stream)["performance"]


def without(frozen: dict[str, Any], i: int) -> dict[str, Any]:
    """Return what a reference froze without its band, and without the i-th series' null model and bins."""
    model = {name: without_series(values, i) for name, values in frozen["model"].items()}
    return frozen | {"model": model, "bins": without_series(frozen["bins"], i), "band": None}


def without_series(values: list[Any], i: int) -> list[Any]:
    # Weekdays are 7 lists over the series.
    if len(values) == 7 and isinstance(values[0], list):
        return [without_series(day, i) for day in values]
    return values[:i] + values[i + 1 :]
