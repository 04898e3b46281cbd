"""Counts of published nights from Postgres, as arrays over nights x series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import sqlalchemy as sa

from sentiment.contract import FORGOTTEN, NO_TEXT
from sentiment.drift.counts import Array, Sums
from sentiment.drift.watched import ALL, BY_NAME, COLUMNS, EDGES_ID, KEY, MAIN_SERIES, REASON, REST, Key
from sentiment.labels import Band
from sentiment.sql import statement


def key_of(row: sa.Row[Any]) -> Key:
    """Return the series that a row belongs to; the row has the columns of `KEY`."""
    return row.slice_key, row.slice_value, row.column_name


def as_columns(key: Key) -> dict[str, str]:
    """Return a series as columns of a row, or as parameters of a statement."""
    return dict(zip(KEY, key, strict=True))


@dataclass(frozen=True)
class Stream:
    """The nights of one source, scored by one model."""

    source: str
    model_id: str

    @property
    def keys(self) -> dict[str, Any]:
        """Return source and model as parameters of a statement."""
        return {"source": self.source, "model_id": self.model_id}


@dataclass(frozen=True)
class Cell:
    """Counts of one series in one night: additive sums over reviews, in the unit of the column's value.

    With s_f and n_f the sum and number of the values of film f, as in `counts.Sums`. No sum is null: a value that is
    null counts in `n` and `n_null` and in no sum.
    """

    n: float
    """Reviews, those with a null value included; of the ledger's columns, records."""
    n_null: float
    """Of these, with a null value."""
    total: float
    """Sum of the values."""
    square: float
    """Sum of the squared values."""
    item_sq: float
    """Sum over films of s_f^2."""
    item_cross: float
    """Sum over films of s_f n_f."""
    item_n_sq: float
    """Sum over films of n_f^2."""
    bins: tuple[int, ...] | None = None
    """Null, underflow, the bins, overflow; None where a column has sums alone (`log_volume`)."""

    @property
    def n_values(self) -> float:
        """Return the number of values that are not null."""
        return self.n - self.n_null


EMPTY = Cell(0, 0, 0, 0, 0, 0, 0)
Night = dict[Key, Cell]
"""Every counted series of one night; a series without a review is missing."""


def nights_between(c: sa.Connection, stream: Stream, first: date | None, last: date | None) -> list[date]:
    """Return the published nights of the range, in order; None leaves that side open."""
    params = {**stream.keys, "first": first, "last": last}
    return list(c.execute(statement("drift/history/published_nights"), params).scalars())


def night_before(c: sa.Connection, stream: Stream, night: date) -> date | None:
    """Return the last published night before `night`; None for none."""
    before: date | None = c.execute(statement("drift/history/night_before"), {**stream.keys, "night": night}).scalar()
    return before


def load(
    c: sa.Connection, stream: Stream, nights: Sequence[date], films: Sequence[str], band: Band
) -> dict[date, Night]:
    """Return every counted series of those nights; without a value of `uncertain` where it counts by another band.

    Series come from profiles, from `sentiment.film_night` (each of `films`, an item id, and the others together as
    `REST`), and from the ledger.
    """
    by_night: dict[date, Night] = {night: {} for night in nights}
    params = {**stream.keys, "nights": list(nights)}
    low, high = band
    for row in c.execute(
        statement("drift/history/profiles"), {**params, "edges_id": EDGES_ID, "low": low, "high": high}
    ):
        by_night[row.night][key_of(row)] = _of_profile(row)
    for row in c.execute(statement("drift/history/films"), {**params, "films": list(films), "rest": REST}):
        by_night[row.night]["film", row.film, "positive"] = _of_film_sums(row)
    for row in c.execute(statement("drift/history/known_reviews"), params):
        by_night[row.night][ALL, ALL, "known"] = _of_film_sums(row)
        by_night[row.night][ALL, ALL, "log_volume"] = _of_volume(float(row.n - row.k))
    for row in c.execute(statement("drift/history/refusals"), params):
        # A record without text is no review: neither read nor refused.
        no_text = (row.reasons or {}).get(NO_TEXT, 0)
        n, k = float(row.rows_read - no_text), float(row.rows_quarantined - no_text)
        by_night[row.night][ALL, ALL, "quarantined"] = _of_records(n, k)
        # Every rule that was applied, so that one that refused nothing counts as 0, not as missing.
        for rule in set(row.rules or ()) - {FORGOTTEN, NO_TEXT}:
            by_night[row.night][REASON, rule, "refused"] = _of_records(n, float(row.reasons.get(rule, 0)))
    return by_night


def _of_profile(row: sa.Row[Any]) -> Cell:
    if row.other_band:
        return Cell(float(row.n), float(row.n), 0, 0, 0, 0, 0)
    n = float(row.n - row.n_null)
    square = n * (row.stddev**2 + row.avg**2)
    sums = (row.sum_item_sq or 0.0, row.sum_item_cross or 0.0, row.sum_item_n_sq or 0.0)
    return Cell(float(row.n), float(row.n_null), row.avg * n, square, *sums, tuple(row.bin_counts))


def _of_film_sums(row: sa.Row[Any]) -> Cell:
    n, k = float(row.n), float(row.k)
    return Cell(n, 0.0, k, k, float(row.sq), float(row.cross), float(row.n_sq), (0, int(n - k), int(k)))


def _of_records(n: float, k: float) -> Cell:
    # Records that were refused have no film: each counts as a film of its own.
    return Cell(n, 0.0, k, k, k, k, n, (0, int(n - k), int(k)))


def _of_volume(n: float) -> Cell:
    # As if each review had the value ln n: far too small a variance, which the fitted dispersion makes up for.
    log_n = float(np.log(max(n, 1.0)))
    return Cell(n, 0.0, n * log_n, n * log_n**2, n * log_n**2, n * log_n, n)


def sums_of(nights: Sequence[Night], series: Sequence[Key]) -> Sums:
    """Return sums of nights x series; zeros where a night lacks a series."""
    cells = [[night.get(key, EMPTY) for key in series] for night in nights]
    names = {"n": "n_values"} | {name: name for name in ("total", "square", "item_sq", "item_cross", "item_n_sq")}
    shape = (len(nights), len(series))
    return Sums(
        **{
            field: np.array([[getattr(c, name) for c in row] for row in cells], dtype=np.float64).reshape(shape)
            for field, name in names.items()
        }
    )


def bins_of(nights: Sequence[Night], key: Key) -> Array:
    """Return the bins of one series (null, underflow, the bins, overflow), added up over the nights."""
    width = BY_NAME[key[2]].n_bins
    total: Array = np.zeros(width)
    for night in nights:
        cell = night.get(key)
        if cell is not None and cell.bins is not None and len(cell.bins) == width:
            total += np.asarray(cell.bins, dtype=np.float64)
    return total


def series_in(nights: Sequence[Night]) -> list[Key]:
    """Return every series of these nights that is judged: `MAIN_SERIES`, the whole night's others, then slices."""
    judged = {w.name for w in COLUMNS if w.judged}
    series = {key for night in nights for key in night if key[2] in judged}
    return sorted(series, key=lambda key: (key != MAIN_SERIES, key[0] != ALL, *key))


def most_reviewed_films(c: sa.Connection, stream: Stream, nights: Sequence[date], n_films: int) -> list[str]:
    """Return the item ids of the `n_films` films with most fresh reviews in those nights."""
    params = {**stream.keys, "nights": list(nights), "n": n_films}
    return list(c.execute(statement("drift/history/most_reviewed_films"), params).scalars())


def by_film(c: sa.Connection, stream: Stream, nights: Sequence[date]) -> dict[str, tuple[int, int]]:
    """Return item id -> fresh reviews and positive ones among them, over those nights; reviews without a film as ''."""
    rows = c.execute(statement("drift/history/reviews_by_film"), {**stream.keys, "nights": list(nights)})
    return {row.item_id: (row.n, row.k) for row in rows}


TITLE = sa.text("SELECT item_title FROM sentiment.item WHERE source = :source AND item_id = :item_id")


def title(c: sa.Connection, source: str, item_id: str) -> str:
    """Return the film's title, else its id, else `unnamed`."""
    item_title: str | None = c.execute(TITLE, {"source": source, "item_id": item_id}).scalar()
    return item_title or item_id or "unnamed"
