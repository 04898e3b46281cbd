"""Compare a published night with the pinned reference and with the night before. No Spark: counts only."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
import sqlalchemy as sa

from sentiment import ledger
from sentiment.database import transaction
from sentiment.drift import distances
from sentiment.drift.watched import COLUMNS, Watched

MIN_REVIEWS = 30
"""Fewer fresh reviews than this say nothing: the status is insufficient_data, never ok."""
WATCH_Z, ALARM_Z = 3.0, 4.0

Key = tuple[str, str, str]
KEY = ("slice_key", "slice_value", "column_name")


@dataclass(frozen=True)
class Profile:
    """Added-up counts of one series over one night or many."""

    n: int
    n_null: int
    total: float
    sum_item_sq: float
    sum_item_cross: float
    sum_item_n_sq: float
    bins: distances.Counts

    @property
    def n_values(self) -> int:
        return self.n - self.n_null

    @property
    def mean(self) -> float | None:
        return self.total / self.n_values if self.n_values else None

    @property
    def variance_of_mean(self) -> float:
        """Clustered by film: sum over films of (s_f - n_f m)^2 / n^2 (Liang and Zeger 1986, intercept only)."""
        mean = self.mean or 0.0
        squares = self.sum_item_sq - 2 * mean * self.sum_item_cross + mean * mean * self.sum_item_n_sq
        return max(squares, 0.0) / self.n_values**2 if self.n_values else 0.0


def track(run_id: str) -> Counter[str]:
    """Write the night's comparisons as new revisions where they differ; count them by status."""
    run = ledger.get_run(run_id)
    with transaction() as c:
        night = _profiles(c, run, [run.night])
        reference_id, nights = _reference(c, run)
        before = _night_before(c, run)
        frozen = _profiles(c, run, nights) if nights else {}
        previous = _profiles(c, run, [before]) if before else {}
        rows = [
            row
            for key, profile in night.items()
            for row in (
                _compare(key, profile, frozen.get(key), "BASELINE", reference_id),
                _compare(key, profile, previous.get(key), "CONSECUTIVE", str(before or "")),
            )
        ]
        for row in rows:
            _write(c, run, row)
    return Counter(row["status"] for row in rows if row["drift_type"] == "BASELINE")


def _profiles(c: sa.Connection, run: ledger.Run, nights: list[date]) -> dict[Key, Profile]:
    """Counts of the nights, added up by series."""
    rows = c.execute(
        sa.text(
            "SELECT slice_key, slice_value, column_name, n, n_null, coalesce(avg, 0) * (n - n_null) AS total, "
            "sum_item_sq, sum_item_cross, sum_item_n_sq, bin_counts FROM drift.profile_metrics "
            "WHERE source = :source AND model_id = :model_id AND night = ANY(:nights)"
        ),
        {"source": run.source, "model_id": run.model_id, "nights": nights},
    )
    found: dict[Key, Profile] = {}
    for row in rows:
        key = (row.slice_key, row.slice_value, row.column_name)
        one = Profile(
            row.n,
            row.n_null,
            row.total,
            row.sum_item_sq,
            row.sum_item_cross,
            row.sum_item_n_sq,
            np.asarray(row.bin_counts, dtype=np.float64),
        )
        found[key] = _added(found[key], one) if key in found else one
    return found


def _added(a: Profile, b: Profile) -> Profile:
    return Profile(**{name: getattr(a, name) + getattr(b, name) for name in vars(a)})


def _reference(c: sa.Connection, run: ledger.Run) -> tuple[str, list[date]]:
    row = c.execute(
        sa.text(
            "SELECT reference_id, nights FROM drift.reference "
            "WHERE source = :source AND model_id = :model_id AND is_current"
        ),
        {"source": run.source, "model_id": run.model_id},
    ).one_or_none()
    return (row.reference_id, list(row.nights)) if row else ("", [])


def _night_before(c: sa.Connection, run: ledger.Run) -> date | None:
    found: date | None = c.execute(
        sa.text(
            "SELECT max(night) FROM drift.profile_metrics "
            "WHERE source = :source AND model_id = :model_id AND night < :night"
        ),
        {"source": run.source, "model_id": run.model_id, "night": run.night},
    ).scalar()
    return found


def _compare(key: Key, night: Profile, against: Profile | None, drift_type: str, reference_id: str) -> dict[str, Any]:
    watched = next(w for w in COLUMNS if w.name == key[2])
    row: dict[str, Any] = {
        **dict(zip(KEY, key, strict=True)),
        "drift_type": drift_type,
        "reference_id": reference_id,
        "n": night.n,
        "n_reference": against.n if against else 0,
        "effect_floor": watched.effect_floor,
        "threshold": ALARM_Z,
        **asdict(distances.Distances(None, None, None, None, None)),
        **dict.fromkeys(("count_delta", "avg_delta", "percent_null_delta", "effect", "z"), None),
        "status": "insufficient_data",
    }
    if against is None or min(night.n_values, against.n_values) < MIN_REVIEWS:
        return row
    return row | _measured(night, against, watched, decide=drift_type == "BASELINE")


def _measured(night: Profile, against: Profile, watched: Watched, decide: bool) -> dict[str, Any]:
    effect = (night.mean or 0.0) - (against.mean or 0.0)
    variance = night.variance_of_mean + against.variance_of_mean
    z = effect / variance**0.5 if variance else 0.0
    return {
        **asdict(distances.between(night.bins, against.bins, watched.edges)),
        "count_delta": float(night.n - against.n),
        "avg_delta": effect,
        "percent_null_delta": 100 * (night.n_null / night.n - against.n_null / against.n),
        "effect": effect,
        "z": z,
        "status": _status(effect, z, watched) if decide else "ok",
    }


def _status(effect: float, z: float, watched: Watched) -> str:
    if abs(effect) < watched.effect_floor:
        return "ok"
    return "alarm" if abs(z) >= ALARM_Z else "watch" if abs(z) >= WATCH_Z else "ok"


MEASURES = (
    "count_delta",
    "avg_delta",
    "percent_null_delta",
    "js_distance",
    "ks_statistic",
    "population_stability_index",
    "wasserstein_distance",
    "chi_squared_statistic",
    "n",
    "n_reference",
    "effect",
    "effect_floor",
    "z",
    "threshold",
    "status",
)


def _write(c: sa.Connection, run: ledger.Run, row: dict[str, Any]) -> None:
    """Add the comparison as the next revision, unless the current one says the same."""
    names = ", ".join(MEASURES)
    same = " AND ".join(f"{m} IS NOT DISTINCT FROM :{m}" for m in MEASURES)
    keys = "night, granularity, source, model_id, slice_key, slice_value, column_name, drift_type, reference_id"
    this = " AND ".join(f"{k} = :{k}" for k in keys.split(", "))
    c.execute(
        sa.text(
            f"WITH newest AS (SELECT * FROM drift.drift_metrics WHERE {this} ORDER BY revision DESC LIMIT 1) "
            f"INSERT INTO drift.drift_metrics ({keys}, revision, {names}, run_id) "
            f"SELECT {', '.join(':' + k for k in keys.split(', '))}, "
            "coalesce((SELECT revision + 1 FROM newest), 0), "
            f"{', '.join(':' + m for m in MEASURES)}, :run_id "
            f"WHERE NOT EXISTS (SELECT 1 FROM newest WHERE {same})"
        ),
        {
            **row,
            "night": run.night,
            "granularity": "day",
            "source": run.source,
            "model_id": run.model_id,
            "run_id": run.run_id,
        },
    )
