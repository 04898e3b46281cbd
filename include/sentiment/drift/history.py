"""Counts of published nights out of Postgres, as arrays over nights x series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import sqlalchemy as sa

from sentiment.contract import FORGOTTEN
from sentiment.drift.counts import Array, Sums
from sentiment.drift.watched import BY_NAME, COLUMNS, EDGES_ID, KEY, REASON, REST

Key = tuple[str, str, str]
"""Slice key, slice value, column."""


def key_of(row: sa.Row[Any]) -> Key:
    """The series that a row is of."""
    return row.slice_key, row.slice_value, row.column_name


def as_columns(key: Key) -> dict[str, str]:
    """A series as columns of a row, or parameters of a statement."""
    return dict(zip(KEY, key, strict=True))


@dataclass(frozen=True)
class Stream:
    """Whose nights: one source, scored by one model."""

    source: str
    model_id: str

    @property
    def keys(self) -> dict[str, Any]:
        """As parameters of a statement."""
        return {"source": self.source, "model_id": self.model_id}


@dataclass(frozen=True)
class Cell:
    """Counts of one series in one night; `bins` is None where only sums are kept."""

    n: float
    n_null: float
    total: float
    square: float
    item_sq: float
    item_cross: float
    item_n_sq: float
    bins: tuple[int, ...] | None = None

    @property
    def n_values(self) -> float:
        return self.n - self.n_null


EMPTY = Cell(0, 0, 0, 0, 0, 0, 0)
Night = dict[Key, Cell]


PUBLISHED = """(
  SELECT night FROM drift.profile_metrics WHERE source = :source AND model_id = :model_id
  UNION SELECT night FROM sentiment.run WHERE source = :source AND model_id = :model_id AND status = 'published'
) AS published"""
"""A night whose every review was known is published without a profile."""


def nights_between(c: sa.Connection, stream: Stream, first: date | None, last: date | None) -> list[date]:
    """Published nights of the range, in order."""
    query = (
        f"SELECT night FROM {PUBLISHED} WHERE night >= coalesce(:first, '-infinity'::date) "
        "AND night <= coalesce(:last, 'infinity'::date) ORDER BY night"
    )
    return list(c.execute(sa.text(query), {**stream.keys, "first": first, "last": last}).scalars())


def night_before(c: sa.Connection, stream: Stream, night: date) -> date | None:
    """The published night before `night`."""
    query = f"SELECT max(night) FROM {PUBLISHED} WHERE night < :night"
    found: date | None = c.execute(sa.text(query), {**stream.keys, "night": night}).scalar()
    return found


def load(c: sa.Connection, stream: Stream, nights: Sequence[date], films: Sequence[str]) -> dict[date, Night]:
    """Every counted series of those nights: profiles, films of `film_night` (the others as `REST`), the ledger."""
    found: dict[date, Night] = {night: {} for night in nights}
    values = {**stream.keys, "nights": list(nights), "films": list(films), "rest": REST, "edges_id": EDGES_ID}
    for row in c.execute(sa.text(PROFILES), values):
        found[row.night][key_of(row)] = _of_profile(row)
    for row in c.execute(sa.text(FILMS), values):
        sums = [float(v) for v in (row.n, row.k, row.sq, row.cross, row.n_sq)]
        found[row.night]["film", row.film, "positive"] = _of_share(*sums)
    for row in c.execute(sa.text(KNOWN), values):
        sums = [float(v) for v in (row.n, row.k, row.sq, row.cross, row.n_sq)]
        found[row.night]["all", "all", "known"] = _of_share(*sums)
        found[row.night]["all", "all", "log_volume"] = _of_volume(float(row.n - row.k))
    for row in c.execute(sa.text(LEDGER), values):
        n, k = float(row.rows_read), float(row.rows_quarantined)
        found[row.night]["all", "all", "quarantined"] = _of_share(n, k, k, k, n)
        for rule in set(row.rules or ()) - {FORGOTTEN}:
            k = float(row.reasons.get(rule, 0))
            found[row.night][REASON, rule, "refused"] = _of_share(n, k, k, k, n)
    return found


PROFILES = """
SELECT night, slice_key, slice_value, column_name, n, n_null, coalesce(avg, 0) AS avg, coalesce(stddev, 0) AS stddev,
  sum_item_sq, sum_item_cross, sum_item_n_sq, bin_counts FROM drift.profile_metrics
WHERE source = :source AND model_id = :model_id AND night = ANY(:nights) AND edges_id = :edges_id
  AND slice_key <> 'film'"""

FILMS = """
SELECT night, film, sum(n_fresh) AS n, sum(n_fresh_positive) AS k, sum(n_fresh_positive * n_fresh_positive) AS sq,
  sum(n_fresh * n_fresh_positive) AS cross, sum(n_fresh * n_fresh) AS n_sq
FROM (SELECT night, n_fresh, n_fresh_positive, CASE WHEN item_id = ANY(:films) THEN item_id ELSE :rest END AS film
      FROM sentiment.film_night
      WHERE source = :source AND model_id = :model_id AND night = ANY(:nights) AND n_fresh > 0) AS f
GROUP BY night, film"""

KNOWN = """
SELECT night, sum(n) AS n, sum(n - n_fresh) AS k, sum((n - n_fresh) * (n - n_fresh)) AS sq,
  sum(n * (n - n_fresh)) AS cross, sum(n * n) AS n_sq FROM sentiment.film_night
WHERE source = :source AND model_id = :model_id AND night = ANY(:nights) GROUP BY night"""

LEDGER = """
SELECT night, rows_read, rows_quarantined, judged.detail -> 'rules' AS rules, judged.detail -> 'reasons' AS reasons
FROM sentiment.run r LEFT JOIN LATERAL (
  SELECT detail FROM sentiment.run_step s WHERE s.run_id = r.run_id AND step = 'validate' AND state = 'done'
  ORDER BY token DESC LIMIT 1) AS judged ON true
WHERE source = :source AND model_id = :model_id AND night = ANY(:nights) AND status = 'published'"""


def _of_profile(row: sa.Row[Any]) -> Cell:
    n = float(row.n - row.n_null)
    square = n * (row.stddev**2 + row.avg**2)
    sums = (row.sum_item_sq or 0.0, row.sum_item_cross or 0.0, row.sum_item_n_sq or 0.0)
    return Cell(float(row.n), float(row.n_null), row.avg * n, square, *sums, tuple(row.bin_counts))


def _of_share(n: float, k: float, sq: float, cross: float, n_sq: float) -> Cell:
    return Cell(n, 0.0, k, k, sq, cross, n_sq, (0, int(n - k), int(k)))


def _of_volume(n: float) -> Cell:
    """ln of the night's fresh reviews as if each review said it: its dispersion makes up for that."""
    said = float(np.log(max(n, 1.0)))
    return Cell(n, 0.0, n * said, n * said**2, n * said**2, n * said, n)


def sums_of(nights: Sequence[Night], series: Sequence[Key]) -> Sums:
    """Arrays over the given nights x series; zeros where a night has none of a series."""
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
    """Bins of one series, added up over the nights."""
    width = BY_NAME[key[2]].n_bins
    total: Array = np.zeros(width)
    for night in nights:
        cell = night.get(key)
        if cell is not None and cell.bins is not None and len(cell.bins) == width:
            total += np.asarray(cell.bins, dtype=np.float64)
    return total


def series_in(nights: Sequence[Night]) -> list[Key]:
    """Every series that is judged, the whole night's positive share first, then by name."""
    judged = {w.name for w in COLUMNS if w.judged}
    found = {key for night in nights for key in night if key[2] in judged}
    return sorted(found, key=lambda key: (key != ("all", "all", "positive"), key[0] != "all", *key))


def most_reviewed_films(c: sa.Connection, stream: Stream, nights: Sequence[date], how_many: int) -> list[str]:
    """Films with most fresh reviews in those nights."""
    query = (
        "SELECT item_id FROM sentiment.film_night WHERE source = :source AND model_id = :model_id "
        "AND night = ANY(:nights) AND item_id <> '' GROUP BY item_id ORDER BY sum(n_fresh) DESC, item_id LIMIT :n"
    )
    return list(c.execute(sa.text(query), {**stream.keys, "nights": list(nights), "n": how_many}).scalars())


def by_film(c: sa.Connection, stream: Stream, nights: Sequence[date]) -> dict[str, tuple[int, int]]:
    """Fresh reviews, and positive ones among them, of every film over those nights."""
    query = (
        "SELECT item_id, sum(n_fresh)::bigint AS n, sum(n_fresh_positive)::bigint AS k FROM sentiment.film_night "
        "WHERE source = :source AND model_id = :model_id AND night = ANY(:nights) AND n_fresh > 0 "
        "GROUP BY item_id ORDER BY item_id"
    )
    rows = c.execute(sa.text(query), {**stream.keys, "nights": list(nights)})
    return {row.item_id: (row.n, row.k) for row in rows}


def title(c: sa.Connection, source: str, item_id: str) -> str:
    """The film's title, else its id."""
    query = "SELECT item_title FROM sentiment.item WHERE source = :source AND item_id = :item_id"
    found: str | None = c.execute(sa.text(query), {"source": source, "item_id": item_id}).scalar()
    return found or item_id or "unnamed"
