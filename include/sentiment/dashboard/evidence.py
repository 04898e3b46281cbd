"""What makes an alarm: the series' own nights, its distribution then and now, and each film's part of a change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np
import sqlalchemy as sa

from sentiment.dashboard.pages import DAYS, Choice, Selected, rows, select
from sentiment.dashboard.reading import Rows
from sentiment.drift import attribution, history, reference
from sentiment.drift.history import Stream
from sentiment.drift.watched import BY_NAME, EDGES_ID, MAIN_SERIES, Key
from sentiment.errors import ParameterError

MOST_FILMS = 12
RECENT_NIGHTS = 7
"""Nights that stand for now where no alarm names since when."""


@dataclass(frozen=True)
class BinShare:
    """The share of values in one bin, of the reference and of now; 0 to 1."""

    label: str
    then: float
    now: float


@dataclass(frozen=True)
class FilmPart:
    """A film's part of a change of the positive share."""

    item_id: str
    title: str
    n_then: int
    n_now: int
    share_then: float | None
    share_now: float | None
    part: float
    """In shares: 0.01 is a point; all films' parts together are the change."""


@dataclass(frozen=True)
class Attribution:
    """The parts of a change of the positive share."""

    before: float
    after: float
    mix: float
    """Part that other films being reviewed makes."""
    within: float
    """Part that films being judged otherwise makes."""
    films: list[FilmPart]
    """The films with the largest parts."""


@dataclass(frozen=True)
class SeriesPage:
    """One watched series: its nights, its alarms, and what makes it."""

    selected: Selected
    key: Key
    title: str | None
    """Of a film's series the film's title."""
    nights: Rows
    alarms: Rows
    since: date | None
    """First night of `now` in distribution and attribution."""
    bins: list[BinShare]
    attribution: Attribution | None
    """Of the whole night's positive share alone."""


def series(c: sa.Connection, choice: Choice, key: Key) -> SeriesPage:
    """Read the evidence about one series by the current model; ParameterError for one that isn't watched."""
    if key[2] not in BY_NAME:
        raise ParameterError(
            f"No column {key[2]!r} is watched; there are: {', '.join(BY_NAME)}.", "sentiment drift show"
        )
    selected = select(c, choice)
    model_id = c.execute(sa.text("SELECT model_id FROM sentiment.model WHERE is_current")).scalar()
    keys = {**selected.keys, "model_id": model_id, **history.as_columns(key), "days": DAYS}
    nights, alarms = rows(c, "series_nights", keys), rows(c, "series_alarms", keys)
    stream = Stream(str(selected.source), str(model_id))
    pinned = reference.load(c, stream)
    title = history.title(c, stream.source, key[1]) if key[0] == "film" else None
    if pinned is None or not nights:
        return SeriesPage(selected, key, title, nights, alarms, None, [], None)
    began = alarms[0].began if alarms and alarms[0].closed is None else None
    now = [row.night for row in nights if began is None or row.night >= began]
    now = now if began else now[-RECENT_NIGHTS:]
    then = list(pinned.nights)
    return SeriesPage(
        selected, key, title, nights, alarms, now[0], _bins(c, stream, key, then, now),
        _attribution(c, stream, then, now) if key == MAIN_SERIES else None,
    )  # fmt: skip


def _bins(c: sa.Connection, stream: Stream, key: Key, then: Sequence[date], now: Sequence[date]) -> list[BinShare]:
    counts = [
        [int(row.n) for row in rows(c, "bins", {**stream.keys, **history.as_columns(key), "nights": list(nights),
                                                "edges_id": EDGES_ID})]
        for nights in (then, now)
    ]  # fmt: skip
    labels = bin_labels(key[2])
    if not all(len(counted) == len(labels) and sum(counted) for counted in counts):
        return []
    n_then, n_now = map(sum, counts)
    return [BinShare(label, a / n_then, b / n_now) for label, a, b in zip(labels, *counts, strict=True)]


def bin_labels(column: str) -> list[str]:
    """Return what each bin of a watched column holds, the null bin first."""
    watched = BY_NAME[column]
    if watched.is_share:
        return ["–", "no", "yes"]
    edges = [f"{edge:g}" for edge in watched.edges]
    between = [f"{a} … {b}" for a, b in pairwise(edges)]
    return ["–", f"< {edges[0]}", *between, f"≥ {edges[-1]}"]


def _attribution(c: sa.Connection, stream: Stream, then: Sequence[date], now: Sequence[date]) -> Attribution | None:
    change = attribution.between(c, stream, then, now)
    if not change.n_before.sum() or not change.n_after.sum():
        return None
    split = change.split
    most = np.argsort(-np.abs(split.by_film))[:MOST_FILMS]
    titles = {
        row.item_id: row.item_title
        for row in rows(c, "titles", {"source": stream.source, "item_ids": [change.films[i] for i in most]})
    }

    def part(i: int) -> FilmPart:
        film, n_then, n_now = change.films[i], int(change.n_before[i]), int(change.n_after[i])
        share_then = float(change.k_before[i]) / n_then if n_then else None
        share_now = float(change.k_after[i]) / n_now if n_now else None
        return FilmPart(film, titles.get(film) or film, n_then, n_now, share_then, share_now, float(split.by_film[i]))

    return Attribution(split.before, split.after, split.mix, split.within, [part(int(i)) for i in most])
