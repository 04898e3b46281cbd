"""Rows of drift.drift_metrics: each series of a night compared with the reference, and with the night before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, fields
from datetime import date
from enum import StrEnum
from typing import Any

import numpy as np

from sentiment.drift import distances, history
from sentiment.drift.channels import HIGH, LOW, Decision
from sentiment.drift.counts import Sums
from sentiment.drift.distances import Distances
from sentiment.drift.history import EMPTY, Cell
from sentiment.drift.null_model import MIN_NIGHT_REVIEWS
from sentiment.drift.reference import Reference
from sentiment.drift.watched import BY_NAME, KEY, Key

Row = dict[str, Any]
"""Columns of drift.drift_metrics, those of `KEYS` and `MEASURES`."""


class Status(StrEnum):
    """Status of a series on a night, as stored."""

    ok = "ok"
    warning = "watch"
    alarm = "alarm"
    acknowledged = "acknowledged"
    insufficient_data = "insufficient_data"


STATE = (
    *("cusum_low", "cusum_high", "low_effect", "low_n", "low_since", "high_effect", "high_n", "high_since"),
    *("alarm_side", "alarm_opened"),
)
"""Columns that hold what a night leaves to the next one."""
MEASURES = (
    *(field.name for field in fields(Distances)),
    *("count_delta", "avg_delta", "percent_null_delta", "n", "n_reference", "effect", "effect_floor", "z"),
    *("threshold", "cusum_threshold", "status"),
    *STATE,
)
"""Columns that hold the result of a comparison."""
KEYS = ("night", *KEY, "drift_type", "reference_id")
"""Columns that name a comparison of a stream."""


def without_reference(night: date, cells: history.Night) -> Iterator[Row]:
    """Return a row of insufficient data for each series, where no reference is pinned."""
    for key in history.series_in([cells]):
        yield _empty_row(night, key, "BASELINE", "", cells[key])


def unknown_to(pinned: Reference, night: date, cells: history.Night) -> Iterator[Row]:
    """Return a row of insufficient data for each series of the night that the reference does not know."""
    known = set(pinned.series)
    for key in history.series_in([cells]):
        if key not in known:
            yield _empty_row(night, key, "BASELINE", pinned.reference_id, cells[key])


def with_reference(night: date, i: int, key: Key, cell: Cell, z: float, decision: Decision, pinned: Reference) -> Row:
    """Return the row of the `i`-th series of the reference; its status is to be set where it is judged."""
    state, judged = decision.state, bool(decision.judged[i])
    return {
        **_empty_row(night, key, "BASELINE", pinned.reference_id, cell),
        **(_distances(cell, pinned.bins[i], key) | _deltas(cell, pinned, i) if judged else {}),
        "n_reference": int(pinned.model.n[i]),
        "effect": float(decision.effect[i]) if judged else None,
        "z": float(z) if judged else None,
        "threshold": _finite(pinned.limits.shewhart[i]),
        "cusum_threshold": _finite(pinned.limits.cusum[i]),
        "cusum_low": float(state.cusum[LOW, i]),
        "cusum_high": float(state.cusum[HIGH, i]),
        "low_effect": float(state.effect[LOW, i]),
        "low_n": float(state.n[LOW, i]),
        "low_since": _day(state.since[LOW, i]),
        "high_effect": float(state.effect[HIGH, i]),
        "high_n": float(state.n[HIGH, i]),
        "high_since": _day(state.since[HIGH, i]),
        "alarm_side": int(state.alarm[i]),
    }


def with_night_before(
    night: date, cells: history.Night, cells_before: history.Night, before: date | None
) -> Iterator[Row]:
    """Return a row for each series compared with the published night before; these rows are shown, never judged."""
    for key in history.series_in([cells]):
        now, then = cells[key], cells_before.get(key, EMPTY)
        row = _empty_row(night, key, "CONSECUTIVE", str(before or ""), now)
        if min(now.n_values, then.n_values) >= MIN_NIGHT_REVIEWS and now.bins is not None and then.bins is not None:
            row |= _distances(now, np.asarray(then.bins, dtype=np.float64), key) | _differences(now, then)
        yield row


def _empty_row(night: date, key: Key, drift_type: str, reference_id: str, cell: Cell) -> Row:
    return {
        **dict.fromkeys(MEASURES),
        "night": night,
        **history.as_columns(key),
        "drift_type": drift_type,
        "reference_id": reference_id,
        "n": int(cell.n),
        "n_reference": 0,
        "effect_floor": BY_NAME[key[2]].effect_floor,
        "status": Status.insufficient_data.value,
    }


def _deltas(cell: Cell, pinned: Reference, i: int) -> Row:
    bins = pinned.bins[i]
    nulls = bins[0] / bins.sum() if bins.sum() else 0.0
    return {
        "count_delta": cell.n - float(pinned.model.n[i] / pinned.model.n_nights[i]),
        "avg_delta": cell.total / cell.n_values - float(pinned.model.mean[i]),
        "percent_null_delta": 100 * (cell.n_null / cell.n - float(nulls)),
    }


def _distances(cell: Cell, bins: distances.Counts, key: Key) -> Row:
    if cell.bins is None:
        return {}
    return asdict(distances.between(np.asarray(cell.bins, dtype=np.float64), bins, BY_NAME[key[2]].edges))


def _differences(now: Cell, then: Cell) -> Row:
    effect = now.total / now.n_values - then.total / then.n_values
    variance = _variance(now) + _variance(then)
    return {
        "n_reference": int(then.n),
        "count_delta": now.n - then.n,
        "avg_delta": effect,
        "percent_null_delta": 100 * (now.n_null / now.n - then.n_null / then.n),
        "effect": effect,
        "z": effect / variance**0.5 if variance else 0.0,
        "status": Status.ok.value,
    }


def _variance(cell: Cell) -> float:
    sums = (cell.n_values, cell.total, cell.square, cell.item_sq, cell.item_cross, cell.item_n_sq)
    return float(Sums(*(np.array([value]) for value in sums)).clustered_variance()[0])


def _finite(limit: float) -> float | None:
    return float(limit) if np.isfinite(limit) else None


def _day(ordinal: int) -> date | None:
    return date.fromordinal(int(ordinal)) if ordinal > 0 else None
