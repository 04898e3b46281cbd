"""Comparisons in Postgres: rows are only added, a differing one as the next revision; the highest revision holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa

from sentiment.drift import channels, history
from sentiment.drift.channels import State
from sentiment.drift.comparisons import KEYS, MEASURES, Row
from sentiment.drift.history import Stream
from sentiment.drift.reference import Reference
from sentiment.drift.watched import Key
from sentiment.sql import statement

COLUMNS = ("granularity", "source", "model_id", *KEYS, "revision", *MEASURES, "run_id")
TABLE = sa.table("drift_metrics", *(sa.column(name) for name in COLUMNS), schema="drift")

Values = tuple[Any, ...]


def write(c: sa.Connection, stream: Stream, nights: Sequence[date], rows: list[Row], run_id: str) -> None:
    """Insert each comparison of those nights as the next revision, unless the highest one is equal."""
    newest = _newest(c, stream, nights)
    constant = {**stream.keys, "granularity": "day", "run_id": run_id}
    fresh = []
    for row in rows:
        *comparison, reference_id = (row[name] for name in KEYS)
        measures = tuple(row[name] for name in MEASURES)
        revision, *stored = newest.get(tuple(comparison), (-1,))
        # Equal to the last digit: Postgres returns a double precision number as it was written.
        if stored != [reference_id, measures]:
            fresh.append({**row, **constant, "revision": revision + 1})
    if fresh:
        c.execute(TABLE.insert(), [{name: row[name] for name in COLUMNS} for row in fresh])


def _newest(c: sa.Connection, stream: Stream, nights: Sequence[date]) -> dict[Values, tuple[int, str, Values]]:
    """Return night, series and drift type -> highest revision, its reference and its measures."""
    rows = c.execute(statement("drift/tracking/newest_revisions"), {**stream.keys, "nights": list(nights)}).mappings()
    return {
        tuple(row[name] for name in KEYS[:-1]): (
            row["revision"],
            row["reference_id"],
            tuple(row[name] for name in MEASURES),
        )
        for row in rows
    }


def state_before(c: sa.Connection, pinned: Reference, night: date) -> tuple[State, dict[Key, date]]:
    """Return the state that the last judged night before `night` left, and the opening night of each open alarm."""
    state, opened = channels.begin(pinned.n_series), {}
    params = {**pinned.stream.keys, "reference_id": pinned.reference_id, "night": night}
    index = {key: i for i, key in enumerate(pinned.series)}
    for row in c.execute(statement("drift/tracking/state_before"), params):
        key = history.key_of(row)
        i = index[key]
        state.cusum[:, i] = row.cusum_low, row.cusum_high
        state.effect[:, i] = row.low_effect, row.high_effect
        state.n[:, i] = row.low_n, row.high_n
        state.since[:, i] = _ordinal(row.low_since), _ordinal(row.high_since)
        state.alarm[i] = row.alarm_side
        if row.alarm_opened:
            opened[key] = row.alarm_opened
    return state, opened


def _ordinal(night: date | None) -> int:
    return night.toordinal() if night else -1
