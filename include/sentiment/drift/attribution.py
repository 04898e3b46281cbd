"""The parts of a change of the positive share: other films reviewed, films judged otherwise, each film's part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import sqlalchemy as sa

from sentiment.drift import history
from sentiment.drift.counts import Array, divided
from sentiment.drift.history import Stream


@dataclass(frozen=True)
class Split:
    """A change of the positive share and its parts, as shares (0.01 is a point); `mix + within` is `total`."""

    before: float
    after: float
    mix: float
    """Part that other films being reviewed makes."""
    within: float
    """Part that films being judged otherwise makes."""
    by_film: Array
    """Each film's part of the total, mix and within together, in the order of the counts."""

    @property
    def total(self) -> float:
        """Return the whole change, positive for a rise."""
        return self.after - self.before


@dataclass(frozen=True)
class ByFilm:
    """A change between two ranges of nights; arrays are over `films`."""

    films: list[str]
    """Item ids of the films with a fresh review in either range; reviews without a film as ''."""
    n_before: Array
    k_before: Array
    """Positive ones among them."""
    n_after: Array
    k_after: Array
    split: Split


def between(c: sa.Connection, stream: Stream, before: Sequence[date], after: Sequence[date]) -> ByFilm:
    """Split the change of the positive share of fresh reviews from some nights to others."""
    counts = [history.by_film(c, stream, nights) for nights in (before, after)]
    films = sorted(counts[0].keys() | counts[1].keys())
    (n_before, k_before), (n_after, k_after) = (
        np.array([by_film.get(film, (0, 0)) for film in films], dtype=np.float64).reshape(-1, 2).T for by_film in counts
    )
    return ByFilm(films, n_before, k_before, n_after, k_after, split(n_before, k_before, n_after, k_after))


def split(n_before: Array, k_before: Array, n_after: Array, k_after: Array) -> Split:
    """Split a change by film; arrays are over the same films, `k` positive ones of `n` reviews.

    Kitagawa 1955, "Components of a difference between two rates": mix is the sum of (w - w0)(p + p0)/2 and within
    of (p - p0)(w + w0)/2, with w a film's part of the reviews and p its positive share. A film seen on one side
    only has no change of its own: it belongs to the mix. Parts of the mix are counted from the share before, so
    that a film that is reviewed more often counts by how far it lies from the rest.
    """
    w0, w = n_before / max(n_before.sum(), 1), n_after / max(n_after.sum(), 1)
    p0, p = divided(k_before, n_before), divided(k_after, n_after)
    p0, p = np.where(np.isnan(p0), p, p0), np.where(np.isnan(p), p0, p)
    p0, p = np.nan_to_num(p0), np.nan_to_num(p)
    before, after = float((w0 * p0).sum()), float((w * p).sum())
    mix, within = (w - w0) * ((p + p0) / 2 - before), (p - p0) * (w + w0) / 2
    return Split(before, after, float(mix.sum()), float(within.sum()), mix + within)
