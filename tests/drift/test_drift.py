"""Counts are right, distances are scipy's or worked by hand, and a comparison says no more than it knows."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sqlalchemy as sa
from sentiment import ledger
from sentiment.database import transaction
from sentiment.drift import canary, distances, profile, tracking
from sentiment.drift.canary import Said
from sentiment.errors import CanaryMovedError
from sentiment.ledger import Run

if TYPE_CHECKING:
    from pyspark.sql import Row, SparkSession

FRESH = (
    "item_id string, item_type string, rating double, text string, p_positive double, n_wordpieces int, n_unknown int"
)
REVIEWS: list[tuple[Any, ...]] = [
    ("f1", "film", 4.0, "un bien beau film", 0.9, 6, 0),
    ("f1", "film", 1.0, "nul", 0.2, 3, 1),
    ("f1", "film", None, "bof " * 20, 0.5, 42, 0),
    ("f2", "series", 5.0, "oui", 1.0, 3, 0),
]


def profiled(spark: SparkSession) -> dict[tuple[str, str, str], Row]:
    rows = profile.count(spark.createDataFrame(REVIEWS, FRESH)).collect()
    return {(r["slice_key"], r["slice_value"], r["column_name"]): r for r in rows}


def test_profile_counts_by_hand(spark: SparkSession) -> None:
    rows = profiled(spark)
    positive = rows["all", "all", "positive"]
    assert (positive["n"], positive["n_null"], positive["avg"], positive["n_items"]) == (4, 0, 0.75, 2)
    assert list(positive["bin_counts"]) == [0, 1, 3]
    # by film: s = (2, 1), n = (3, 1)
    assert (positive["sum_item_sq"], positive["sum_item_cross"], positive["sum_item_n_sq"]) == (5, 7, 10)
    rating = rows["all", "all", "rating"]
    assert (rating["n"], rating["n_null"], rating["min"], rating["max"]) == (4, 1, 1.0, 5.0)
    assert list(rating["bin_counts"]) == [1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1]
    assert rows["rating_band", "none", "positive"]["n"] == 1
    assert rows["item_type", "series", "logit"]["avg"] == pytest.approx(12.0)
    length = rows["all", "all", "text_chars"]
    assert length["stddev"] == pytest.approx(np.std([len(r[3]) for r in REVIEWS]))
    assert all(sum(r["bin_counts"]) == r["n"] for r in rows.values())


def test_clustered_variance_by_hand() -> None:
    series = tracking.Profile(4, 0, 3.0, 5.0, 7.0, 10.0, np.array([0.0, 1, 3]))
    # sum over films of (s_f - n_f p)^2 / n^2 with p = 3/4: ((2 - 9/4)^2 + (1 - 3/4)^2) / 16
    assert series.variance_of_mean == pytest.approx((0.25**2 + 0.25**2) / 16)


def test_distances_by_hand() -> None:
    same = distances.between(np.array([0.0, 50, 50]), np.array([0.0, 100, 100]), (0.5,))
    assert same.ks_statistic == 0
    assert same.wasserstein_distance == 0
    assert same.population_stability_index == pytest.approx(0, abs=0.01)  # the smoothing alone
    moved = distances.between(np.array([0.0, 40, 60]), np.array([0.0, 60, 40]), (0.5,))
    assert moved.ks_statistic == pytest.approx(0.2)
    assert moved.wasserstein_distance == pytest.approx(0.2)
    # Pearson for [[40, 60], [60, 40]] with Yates' correction: 200 (|40*40-60*60| - 100)^2 / 100^4
    assert moved.chi_squared_statistic == pytest.approx(200 * (2000 - 100) ** 2 / 100**4)
    p, q = np.array([0.5, 40.5, 60.5]) / 101.5, np.array([0.5, 60.5, 40.5]) / 101.5
    assert moved.population_stability_index == pytest.approx(float(((p - q) * np.log(p / q)).sum()))
    nothing = distances.between(np.zeros(3), np.array([0.0, 1, 1]), (0.5,))
    assert nothing.js_distance is None


COUNTED = (
    "INSERT INTO drift.profile_metrics (night, source, model_id, slice_key, slice_value, column_name, data_type, n, "
    "n_null, avg, edges_id, bin_counts, n_items, sum_item_sq, sum_item_cross, sum_item_n_sq, run_id) VALUES "
    "(:night, 'tracked', 'none', 'all', 'all', 'positive', 'categorical', :n, 0, :share, 'default-1', :bins, 100, "
    ":sq, :cross, :nsq, 'r')"
)


def put_night(c: sa.Connection, night: date, n: int, share: float) -> None:
    per_film = n / 100
    values = {"sq": 100 * (share * per_film) ** 2 + n * share * (1 - share), "cross": share * per_film * n}
    bins = [0, n - round(n * share), round(n * share)]
    c.execute(sa.text(COUNTED), {**values, "nsq": n * per_film, "night": night, "n": n, "share": share, "bins": bins})


def night_run(night: date) -> Run:
    return Run("r", night, "tracked", "d", "none", "published", None, None, None, {})


def test_no_reference_is_insufficient_data_and_a_reference_decides(
    ready: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights = [date(2026, 10, day) for day in (1, 2, 3, 4)]
    with transaction() as c:
        for night, share in zip(nights, (0.6, 0.6, 0.6, 0.4), strict=True):
            put_night(c, night, 1000, share)
    monkeypatch.setattr(ledger, "get_run", lambda _: night_run(nights[3]))
    assert tracking.track("r") == {"insufficient_data": 1}
    with transaction() as c:
        c.execute(
            sa.text(
                "INSERT INTO drift.reference (reference_id, source, model_id, first_night, last_night, nights, "
                "edges_id, frozen, is_current) "
                "VALUES ('ref', 'tracked', 'none', :a, :b, :nights, 'default-1', '{}', true)"
            ),
            {"a": nights[0], "b": nights[1], "nights": nights[:2]},
        )
    assert tracking.track("r") == {"alarm": 1}
    monkeypatch.setattr(ledger, "get_run", lambda _: night_run(nights[2]))
    assert tracking.track("r") == {"ok": 1}
    with transaction() as c:
        query = (
            "SELECT effect, z, n_reference FROM drift.drift_metrics "
            "WHERE source = 'tracked' AND drift_type = 'BASELINE' AND reference_id = 'ref' AND night = :n"
        )
        rows = c.execute(sa.text(query), {"n": nights[3]}).all()
    assert rows[0].effect == pytest.approx(-0.2)
    assert rows[0].n_reference == 2000
    assert rows[0].z < -tracking.ALARM_Z


def test_tracking_again_adds_no_revision(ready: object, monkeypatch: pytest.MonkeyPatch) -> None:
    night = date(2026, 9, 1)
    with transaction() as c:
        put_night(c, night, 500, 0.5)
    monkeypatch.setattr(ledger, "get_run", lambda _: night_run(night))
    for _ in range(2):
        tracking.track("r")
    with transaction() as c:
        revisions = c.execute(
            sa.text("SELECT count(*) FROM drift.drift_metrics WHERE source = 'tracked' AND night = :n"), {"n": night}
        ).scalar()
    assert revisions == 2


def test_canary_opens_once_and_then_must_sing_the_same(ready: object) -> None:
    first = [Said(1, "pos", 0.9), Said(2, "neg", 0.7)]
    assert "opened" in canary.check("bird", "f", "r", first)
    assert "unchanged" in canary.check("bird", "f", "r", [Said(1, "pos", 0.90009), Said(2, "neg", 0.7)])
    for moved in ([Said(1, "pos", 0.9002), first[1]], [Said(1, "neg", 0.9), first[1]], first[:1]):
        with pytest.raises(CanaryMovedError, match="canary moved"):
            canary.check("bird", "f", "r", moved)
