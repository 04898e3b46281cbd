"""Simulated nights written into the tables as the score job and publishing would have counted them."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa
from sentiment.database import transaction
from sentiment.drift import comparisons, simulate
from sentiment.drift.history import Stream
from sentiment.drift.simulate import Audience, Nights, Shift
from sentiment.drift.watched import BY_NAME, EDGES_ID, LOGIT_EDGES

PROFILE = """
INSERT INTO drift.profile_metrics (night, source, model_id, slice_key, slice_value, column_name, data_type, n, n_null,
  avg, stddev, edges_id, bin_counts, n_items, sum_item_sq, sum_item_cross, sum_item_n_sq, run_id)
VALUES (:night, :source, :model_id, :slice_key, :slice_value, :column_name, :data_type, :n, :n_null, :avg, :stddev,
  :edges_id, :bins, 60, :sq, :cross, :n_sq, 'r')
"""
FILM = """
INSERT INTO sentiment.film_night (night, source, item_id, model_id, n, n_positive, n_fresh, n_fresh_positive, run_id)
VALUES (:night, :source, :item_id, :model_id, :n, :k, :n, :k, 'r')
"""
JUDGED = (
    "INSERT INTO sentiment.dump (dump_id, source, uri) VALUES (:run_id, :source, 'made up')",
    "INSERT INTO sentiment.run (run_id, night, source, dump_id, model_id, status, rows_read, rows_quarantined, "
    "code_version) VALUES (:run_id, :night, :source, :run_id, :model_id, 'published', :n, :k, 'test')",
    "INSERT INTO sentiment.run_step (run_id, step, token, state, detail) "
    "VALUES (:run_id, 'validate', 1, 'done', cast(:detail AS jsonb))",
)
FIRST, N_REFERENCE, N_QUIET = date(2026, 1, 5), 70, 6
AUDIENCE = Audience(reviews=400, films=30, watched_films=10)
RUNS = (
    "DELETE FROM sentiment.run_step WHERE run_id IN (SELECT run_id FROM sentiment.run WHERE source = :source)",
    "DELETE FROM sentiment.run WHERE source = :source",
    "DELETE FROM sentiment.dump WHERE source = :source",
)


def made(shift: Shift = simulate.QUIET, n_after: int = 16, seed: int = 1) -> Nights:
    """Reference nights, six quiet ones, and shifted ones: `n_after` after the reference."""
    rng, quiet = np.random.default_rng(seed), N_REFERENCE + N_QUIET
    before = simulate.nights(AUDIENCE, quiet, rng)
    after = simulate.nights(AUDIENCE, n_after - N_QUIET, rng, shift, quiet % 7)
    return simulate.joined([before, after])


def put(stream: Stream, first: date, audience: Audience, nights: Nights) -> list[date]:
    """Write the nights, the first on `first`; returns their dates."""
    dates = [first + timedelta(days=no) for no in range(len(nights.days))]
    profiles = [row for no, night in enumerate(dates) for row in _profiles(stream, night, audience, nights, no)]
    films = [row for no, night in enumerate(dates) for row in _films(stream, night, nights, no)]
    with transaction() as c:
        c.execute(sa.text("INSERT INTO sentiment.model (model_id, name, language, engine, fingerprint, labels, "
                          "source_uri, spark_nlp_version) VALUES (:m, :m, 'fr', 'onnx', :m, '{neg,pos}', 'u', '5') "
                          "ON CONFLICT DO NOTHING"), {"m": stream.model_id})  # fmt: skip
        c.execute(sa.text(PROFILE), profiles)
        c.execute(sa.text(FILM), films)
    return dates


def judged(stream: Stream, night: date, records: int, reasons: dict[str, int]) -> None:
    """Write down that the night's records were judged by two rules, and how many each refused."""
    run_id = f"{stream.source}-{night}"
    detail = json.dumps({"rules": ["text_present", "text_french"], "reasons": reasons})
    values = {"run_id": run_id, "night": night, "n": records, "k": sum(reasons.values()), "detail": detail}
    with transaction() as c:
        for statement in JUDGED:
            c.execute(sa.text(statement), {**stream.keys, **values})


def take_away(stream: Stream, night: date) -> None:
    """As if the night had not been published."""
    with transaction() as c:
        for table in ("drift.profile_metrics", "sentiment.film_night"):
            where = "source = :source AND model_id = :model_id AND night = :night"
            c.execute(sa.text(f"DELETE FROM {table} WHERE {where}"), {**stream.keys, "night": night})


def remove(stream: Stream) -> None:
    """Take everything of the stream away again."""
    with transaction("owner") as c:
        tables = ("profile_metrics", "drift_metrics", "reference", "alarm", "acknowledgement", "performance")
        for table in (*(f"drift.{t}" for t in tables), "sentiment.film_night"):
            c.execute(sa.text(f"DELETE FROM {table} WHERE source = :source"), {"source": stream.source})
        for statement in RUNS:
            c.execute(sa.text(statement), {"source": stream.source})


def seen(stream: Stream) -> dict[str, list[tuple[Any, ...]]]:
    """What readers see of the stream, to the last digit."""
    with transaction("reader") as c:
        return {
            name: [tuple(row) for row in c.execute(sa.text(query.format(mine=MINE)), stream.keys)]
            for name, query in SEEN.items()
        }


MINE = "WHERE source = :source AND model_id = :model_id"
SEEN = {
    "drift": "SELECT DISTINCT ON (night, slice_key, slice_value, column_name, drift_type) night, slice_key, "
    f"slice_value, column_name, drift_type, reference_id, {', '.join(comparisons.MEASURES)} FROM drift.drift_metrics "
    "{mine} ORDER BY night, slice_key, slice_value, column_name, drift_type, revision DESC",
    "alarm": "SELECT * FROM drift.v_alarm {mine} ORDER BY alarm_id",
    "performance": "SELECT night, reference_id, n_scored, estimated_accuracy, estimated_f1, realised_accuracy, "
    "realised_f1 FROM drift.performance {mine} ORDER BY night",
}


def untold(stream: Stream) -> None:
    """As if nothing had been judged yet; what is pinned and counted stays."""
    with transaction() as c:
        for table in ("drift_metrics", "alarm", "performance"):
            c.execute(sa.text(f"DELETE FROM drift.{table} {MINE}"), stream.keys)


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
    named = dict(zip(("slice_key", "slice_value", "column_name"), key, strict=True))
    fixed = {"night": night, "data_type": BY_NAME[key[2]].data_type, "edges_id": EDGES_ID, "n_null": 0}
    return {**stream.keys, **named, **fixed, "n": n, "bins": bins}


def _logits(stream: Stream, night: date, nights: Nights, no: int) -> list[dict[str, object]]:
    """Every review is labelled as the score says, one in ten the other way."""
    bins = [int(b) for b in nights.logits[no]]
    right = [b if i >= 1 + len(LOGIT_EDGES) // 2 + 1 else 0 for i, b in enumerate(bins)]
    positive = [r - r // 10 + (b - r) // 10 for b, r in zip(bins, right, strict=True)]
    none = {"avg": 0.5, "stddev": 3.0, "sq": 0.0, "cross": 0.0, "n_sq": float(np.sum(nights.film_n[no] ** 2))}
    named = {"logit": bins, "labelled_logit": bins, "positive_logit": positive}
    return [_row(stream, night, ("all", "all", name), sum(b), b) | none for name, b in named.items()]


def _films(stream: Stream, night: date, nights: Nights, no: int) -> list[dict[str, object]]:
    return [
        {**stream.keys, "night": night, "item_id": f"film-{f + 1:02d}", "n": int(n), "k": int(k)}
        for f, (n, k) in enumerate(zip(nights.film_n[no], nights.film_positive[no], strict=True))
        if n
    ]
