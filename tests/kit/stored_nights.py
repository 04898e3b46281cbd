"""Simulated nights written into the tables as the score job and publishing would have counted them."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa
from sentiment.database import transaction
from sentiment.drift import reference, simulate, tracking
from sentiment.drift.history import Stream
from sentiment.drift.simulate import Audience, Nights, Shift
from sentiment.drift.watched import ALL, BY_NAME, EDGES_ID, KEY, LOGIT_EDGES

INSERT_MODEL = sa.text("""
INSERT INTO sentiment.model (model_id, name, language, engine, fingerprint, labels, source_uri, spark_nlp_version)
VALUES (:model_id, :model_id, 'fr', 'onnx', :model_id, '{neg,pos}', 'u', '5') ON CONFLICT DO NOTHING""")
INSERT_PROFILE = sa.text("""
INSERT INTO drift.profile_metrics (night, source, model_id, slice_key, slice_value, column_name, data_type, n, n_null,
  avg, stddev, edges_id, bin_counts, n_items, sum_item_sq, sum_item_cross, sum_item_n_sq, run_id)
VALUES (:night, :source, :model_id, :slice_key, :slice_value, :column_name, :data_type, :n, :n_null, :avg, :stddev,
  :edges_id, :bins, 60, :sq, :cross, :n_sq, 'r')""")
INSERT_FILM = sa.text("""
INSERT INTO sentiment.film_night (night, source, item_id, model_id, n, n_positive, n_fresh, n_fresh_positive, run_id)
VALUES (:night, :source, :item_id, :model_id, :n, :k, :n, :k, 'r')""")
INSERT_VALIDATED_RUN = (
    sa.text("INSERT INTO sentiment.dump (dump_id, source, uri) VALUES (:run_id, :source, 'made up')"),
    sa.text("""
INSERT INTO sentiment.run (run_id, night, source, dump_id, model_id, status, rows_read, rows_quarantined, code_version)
VALUES (:run_id, :night, :source, :run_id, :model_id, 'published', :n, :k, 'test')"""),
    sa.text("""
INSERT INTO sentiment.run_step (run_id, step, token, state, detail)
VALUES (:run_id, 'validate', 1, 'done', cast(:detail AS jsonb))"""),
)
DELETE_NIGHT = (
    sa.text("DELETE FROM drift.profile_metrics WHERE source = :source AND model_id = :model_id AND night = :night"),
    sa.text("DELETE FROM sentiment.film_night WHERE source = :source AND model_id = :model_id AND night = :night"),
)
DELETE_JUDGEMENT = (
    sa.text("DELETE FROM drift.drift_metrics WHERE source = :source AND model_id = :model_id"),
    sa.text("DELETE FROM drift.alarm WHERE source = :source AND model_id = :model_id"),
    sa.text("DELETE FROM drift.performance WHERE source = :source AND model_id = :model_id"),
)
DELETE_STREAM = (
    sa.text("DELETE FROM drift.profile_metrics WHERE source = :source"),
    sa.text("DELETE FROM drift.drift_metrics WHERE source = :source"),
    sa.text("DELETE FROM drift.reference WHERE source = :source"),
    sa.text("DELETE FROM drift.alarm WHERE source = :source"),
    sa.text("DELETE FROM drift.acknowledgement WHERE source = :source"),
    sa.text("DELETE FROM drift.performance WHERE source = :source"),
    sa.text("DELETE FROM sentiment.film_night WHERE source = :source"),
    sa.text("DELETE FROM sentiment.run_step WHERE run_id IN (SELECT run_id FROM sentiment.run WHERE source = :source)"),
    sa.text("DELETE FROM sentiment.run WHERE source = :source"),
    sa.text("DELETE FROM sentiment.dump WHERE source = :source"),
)
VISIBLE = {
    "drift": sa.text("""
SELECT DISTINCT ON (night, slice_key, slice_value, column_name, drift_type)
  night, slice_key, slice_value, column_name, drift_type, reference_id, js_distance, ks_statistic,
  population_stability_index, wasserstein_distance, chi_squared_statistic, count_delta, avg_delta, percent_null_delta,
  n, n_reference, effect, effect_floor, z, threshold, cusum_threshold, status, cusum_low, cusum_high, low_effect,
  low_n, low_since, high_effect, high_n, high_since, alarm_side, alarm_opened
FROM drift.drift_metrics WHERE source = :source AND model_id = :model_id
ORDER BY night, slice_key, slice_value, column_name, drift_type, revision DESC"""),
    "alarm": sa.text("SELECT * FROM drift.v_alarm WHERE source = :source AND model_id = :model_id ORDER BY alarm_id"),
    "performance": sa.text("""
SELECT night, reference_id, n_scored, estimated_accuracy, estimated_f1, realised_accuracy, realised_f1
FROM drift.performance WHERE source = :source AND model_id = :model_id ORDER BY night"""),
}
FIRST, N_REFERENCE, N_QUIET = date(2026, 1, 5), 70, 6
AUDIENCE = Audience(reviews=400, films=30, watched_films=10)


def simulated(shift: Shift = simulate.QUIET, n_after: int = 16, seed: int = 1) -> Nights:
    """Draw reference nights, six quiet ones, and shifted ones: `n_after` nights after the reference."""
    rng, quiet = np.random.default_rng(seed), N_REFERENCE + N_QUIET
    before = simulate.nights(AUDIENCE, quiet, rng)
    after = simulate.nights(AUDIENCE, n_after - N_QUIET, rng, shift, quiet % 7)
    return simulate.joined([before, after])


def put(stream: Stream, first: date, audience: Audience, nights: Nights) -> list[date]:
    """Insert the nights as published ones, the first on `first`; return their dates."""
    dates = [first + timedelta(days=no) for no in range(len(nights.days))]
    profiles = [row for no, night in enumerate(dates) for row in _profiles(stream, night, audience, nights, no)]
    films = [row for no, night in enumerate(dates) for row in _films(stream, night, nights, no)]
    with transaction() as c:
        c.execute(INSERT_MODEL, {"model_id": stream.model_id})
        c.execute(INSERT_PROFILE, profiles)
        c.execute(INSERT_FILM, films)
    return dates


def fallen(stream: Stream) -> list[date]:
    """Store nights of which the last ones are a tenth less positive, tracked against a reference of the first ones."""
    dates = put(stream, FIRST, AUDIENCE, simulated(Shift(share=-0.1)))
    reference.pin(stream, dates[0], dates[N_REFERENCE - 1])
    tracking.replay(stream, dates[N_REFERENCE], None)
    for night in dates:
        store_validation(stream, night, 400, {"text_french": 3})
    return dates


def alarm_of(stream: Stream) -> str:
    """Return the open alarm about the positive share of a stream that has `fallen`."""
    query = sa.text(
        "SELECT alarm_id FROM drift.v_alarm WHERE source = :source AND status = 'alarm' AND column_name = 'positive' "
        "AND slice_key = 'all'"
    )
    with transaction() as c:
        return str(c.execute(query, {"source": stream.source}).scalar_one())


def store_validation(stream: Stream, night: date, records: int, reasons: dict[str, int]) -> None:
    """Insert a published run whose validate step applied two rules; `reasons` is how many records each refused."""
    run_id = f"{stream.source}-{night}"
    detail = json.dumps({"rules": ["text_present", "text_french"], "reasons": reasons})
    params = {"run_id": run_id, "night": night, "n": records, "k": sum(reasons.values()), "detail": detail}
    with transaction() as c:
        for statement in INSERT_VALIDATED_RUN:
            c.execute(statement, {**stream.keys, **params})


def unpublish(stream: Stream, night: date) -> None:
    """Delete the night's counts, as if it had not been published."""
    with transaction() as c:
        for statement in DELETE_NIGHT:
            c.execute(statement, {**stream.keys, "night": night})


def remove(stream: Stream) -> None:
    """Delete everything of the stream's source."""
    with transaction("owner") as c:
        for statement in DELETE_STREAM:
            c.execute(statement, {"source": stream.source})


def visible_rows(stream: Stream) -> dict[str, list[tuple[Any, ...]]]:
    """Return what readers see of the stream, to the last digit."""
    with transaction("reader") as c:
        return {name: [tuple(row) for row in c.execute(query, stream.keys)] for name, query in VISIBLE.items()}


def delete_judgement(stream: Stream) -> None:
    """Delete comparisons, alarms and performance; references and counts stay."""
    with transaction() as c:
        for statement in DELETE_JUDGEMENT:
            c.execute(statement, stream.keys)


def _profiles(stream: Stream, night: date, audience: Audience, nights: Nights, no: int) -> list[dict[str, object]]:
    rows = []
    for i, (slice_key, slice_value, column) in enumerate(simulate.series_of(audience)):
        s = nights.sums[no, i]
        if slice_key == "film" or not s.n:
            continue
        mean = float(s.total / s.n)
        stddev = max(float(s.square / s.n) - mean**2, 0.0) ** 0.5
        n, k = int(s.n), round(float(s.total))
        bins = [0, n - k, k] if BY_NAME[column].is_share else [0, n] + [0] * (BY_NAME[column].n_bins - 2)
        sums = {"sq": float(s.item_sq), "cross": float(s.item_cross), "n_sq": float(s.item_n_sq)}
        rows.append(
            _row(stream, night, (slice_key, slice_value, column), n, bins) | sums | {"avg": mean, "stddev": stddev}
        )
    return [*rows, *_logits(stream, night, nights, no)]


def _row(stream: Stream, night: date, key: tuple[str, str, str], n: int, bins: list[int]) -> dict[str, object]:
    series = dict(zip(KEY, key, strict=True))
    fixed = {"night": night, "data_type": BY_NAME[key[2]].data_type, "edges_id": EDGES_ID, "n_null": 0}
    return {**stream.keys, **series, **fixed, "n": n, "bins": bins}


def _logits(stream: Stream, night: date, nights: Nights, no: int) -> list[dict[str, object]]:
    """Return logit histograms in which every review is labelled as predicted, one in ten the other way."""
    bins = [int(b) for b in nights.logits[no]]
    predicted = [b if i >= 1 + len(LOGIT_EDGES) // 2 + 1 else 0 for i, b in enumerate(bins)]
    positive = [p - p // 10 + (b - p) // 10 for b, p in zip(bins, predicted, strict=True)]
    moments = {"avg": 0.5, "stddev": 3.0, "sq": 0.0, "cross": 0.0, "n_sq": float(np.sum(nights.film_n[no] ** 2))}
    by_column = {"logit": bins, "labelled_logit": bins, "positive_logit": positive}
    return [_row(stream, night, (ALL, ALL, name), sum(b), b) | moments for name, b in by_column.items()]


def _films(stream: Stream, night: date, nights: Nights, no: int) -> list[dict[str, object]]:
    return [
        {**stream.keys, "night": night, "item_id": f"film-{f + 1:02d}", "n": int(n), "k": int(k)}
        for f, (n, k) in enumerate(zip(nights.film_n[no], nights.film_positive[no], strict=True))
        if n
    ]
