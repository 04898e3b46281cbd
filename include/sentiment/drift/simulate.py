"""Simulated nights as counts: clustered by film, with a weekday pattern, and with a shift injected on request.

A year costs a fraction of a second, since only sums by film and night are drawn, never rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from sentiment.drift.counts import Array, Sums, of_shares, stacked
from sentiment.drift.null_model import WEEKDAYS, Days
from sentiment.drift.watched import ALL, BY_NAME, LOGIT_EDGES, MAIN_SERIES, REST, Key
from sentiment.labels import UNCERTAIN_HIGH, UNCERTAIN_LOW

# Monday first. Volume is a factor, the positive share is added to the audience's.
WEEKDAY_VOLUME = np.array([0.80, 0.80, 0.90, 0.90, 1.10, 1.35, 1.15])
WEEKDAY_SHARE = np.array([0.0, 0.0, -0.01, -0.01, 0.0, 0.015, 0.005])
BANDS = ("low", "middle", "high", "none")
# Shares of the bands among positive and among negative reviews.
BAND_OF_POSITIVE = np.array([0.03, 0.20, 0.52, 0.25])
BAND_OF_NEGATIVE = np.array([0.45, 0.25, 0.05, 0.25])
TYPES = ("film", "series", "")
LOGIT_POSITIVE, LOGIT_NEGATIVE, LOGIT_SPREAD = 3.0, -3.0, 2.0
"""Mean logit of a positive and of a negative review, and the standard deviation of both."""


@dataclass(frozen=True)
class Audience:
    """Volume, clumping and positive share of the simulated nights when nothing changes."""

    reviews: float = 800
    """New reviews of a mean night."""
    design_effect: float = 1.5
    """Variance of the night's positive share over that of as many independent reviews."""
    films: int = 60
    watched_films: int = 32
    """Films with a slice of their own, the most reviewed ones."""
    share: float = 0.6
    """Positive share, 0 to 1."""
    volume_spread: float = 0.12
    """Standard deviation of the logarithm of a night's volume."""

    @property
    def weights(self) -> Array:
        """Each film's part of a night's reviews, the most reviewed film first; adds up to 1."""
        rank: Array = np.arange(1, self.films + 1) ** -0.5
        weights: Array = rank / rank.sum()
        return weights

    @property
    def icc(self) -> float:
        """Correlation of two reviews of one film in one night that gives the design effect (Kish 1965)."""
        partners = float((self.weights**2).sum()) * self.reviews
        return max(self.design_effect - 1.0, 0.0) / partners


@dataclass(frozen=True)
class Shift:
    """A change that lasts from the first to the last simulated night; its numbers are added to the quiet ones."""

    share: float = 0.0
    """Added to the positive share of every film, 0 to 1."""
    film: int | None = None
    """Index of the one film whose positive share becomes `film_share`; None for no such film."""
    film_share: float = 0.05
    wave: float = 0.0
    """Share of each night's reviews that one new film without a slice takes; its positive share is `film_share`."""
    unknown: float = 0.0
    """Added to the share of wordpieces that the model does not know."""
    foreign: float = 0.0
    """Added to the share of reviews that are not French."""
    chars: float = 0.0
    """Added to the mean characters of a review."""
    missing: float = 0.0
    """Added to the share of reviews without a rating."""
    volume: float = 1.0
    """Factor on the number of reviews."""
    confidence: float = 1.0
    """Factor on logits, as of another model that is more or less sure of itself."""


QUIET = Shift()


@dataclass(frozen=True)
class Column:
    """A simulated column of the whole night, named as in `watched`."""

    name: str
    mean: float
    """Mean of one review's value."""
    spread: float
    """Standard deviation of one review's value; 0 for a share."""


def _uncertain_share(confidence: float) -> float:
    """Return the share of reviews with an uncertain probability, by a model with logits `confidence` times as large."""
    low, high = (math.log(p / (1 - p)) for p in (UNCERTAIN_LOW, UNCERTAIN_HIGH))
    bell = NormalDist(LOGIT_POSITIVE * confidence, LOGIT_SPREAD * confidence)
    return bell.cdf(high) - bell.cdf(low)


COLUMNS = (
    Column("unknown_share", 0.004, 0.012),
    Column("not_french", 0.01, 0.0),
    Column("text_chars", 400.0, 300.0),
    Column("rating_missing", 0.25, 0.0),
    Column("uncertain", _uncertain_share(1.0), 0.0),
)


def shares_of(audience: Audience) -> Array:
    """Return 1 for every series that is a share, else 0, in the order of `series_of`."""
    return np.array([float(BY_NAME[column].is_share) for _, _, column in series_of(audience)])


@dataclass(frozen=True)
class Nights:
    """Counts of consecutive nights."""

    days: Days
    """Weekday of each night, Monday 0."""
    sums: Sums
    """Nights x series, in the order of `series_of`."""
    logits: NDArray[np.int64]
    """Score histograms, nights x bins of the column `logit`, the null bin first."""
    film_n: NDArray[np.int64] = field(repr=False)
    """Reviews, nights x films."""
    film_positive: NDArray[np.int64] = field(repr=False)
    """Positive reviews, nights x films."""

    def __getitem__(self, nights: object) -> Nights:
        arrays = {name: getattr(self, name)[nights] for name in ("days", "logits", "film_n", "film_positive")}
        return replace(self, sums=self.sums[nights], **arrays)


def series_of(audience: Audience) -> list[Key]:
    """Return every simulated series, `MAIN_SERIES` first."""
    films = [f"film-{no + 1:02d}" for no in range(audience.watched_films)] + [REST]
    slices = [("film", f) for f in films] + [("rating_band", b) for b in BANDS] + [("item_type", t) for t in TYPES]
    return [
        MAIN_SERIES,
        *((key, value, "positive") for key, value in slices),
        *((ALL, ALL, c.name) for c in COLUMNS),
    ]


def floors_of(audience: Audience) -> Array:
    """Return the effect floor of every series, in the order of `series_of`."""
    return np.array([float(BY_NAME[column].effect_floor) for _, _, column in series_of(audience)])


def nights(
    audience: Audience, n_nights: int, rng: np.random.Generator, shift: Shift = QUIET, first_day: int = 0
) -> Nights:
    """Draw `n_nights` consecutive nights, the first on weekday `first_day` (Monday 0)."""
    days = (np.arange(n_nights) + first_day) % WEEKDAYS
    n = _reviews_by_film(audience, days, rng, shift)
    positive = _positive_by_film(audience, days, n, rng, shift)
    films = _films(audience, n, positive)
    sums = stacked(
        [
            of_shares(n[:, None, :], positive[:, None, :]),
            films,
            *_bands(n, positive, rng),
            *_types(n, positive),
            *(_column(c, audience, n, rng, shift) for c in COLUMNS),
        ]
    )
    return Nights(days, sums, _logits(n.sum(axis=1), positive.sum(axis=1), rng, shift), n, positive)


def _reviews_by_film(a: Audience, days: Days, rng: np.random.Generator, shift: Shift) -> NDArray[np.int64]:
    volume = (
        a.reviews
        * shift.volume
        * WEEKDAY_VOLUME[days]
        * rng.lognormal(-(a.volume_spread**2) / 2, a.volume_spread, len(days))
    )
    weights = a.weights * rng.lognormal(0, 0.2, (len(days), a.films))
    weights /= weights.sum(axis=1, keepdims=True)
    if shift.wave:
        weights *= 1 - shift.wave
        weights[:, -1] += shift.wave
    return rng.multinomial(rng.poisson(volume), weights)


def _positive_by_film(
    a: Audience, days: Days, n: NDArray[np.int64], rng: np.random.Generator, shift: Shift
) -> NDArray[np.int64]:
    share = np.broadcast_to((a.share + WEEKDAY_SHARE[days] + shift.share)[:, None], n.shape).copy()
    if shift.film is not None:
        share[:, shift.film] = shift.film_share
    if shift.wave:
        share[:, -1] = shift.film_share
    share = np.clip(share, 0.001, 0.999)
    if a.icc:
        scale = (1 - a.icc) / a.icc
        share = rng.beta(share * scale, (1 - share) * scale)
    return rng.binomial(n, share)


def _films(a: Audience, n: NDArray[np.int64], positive: NDArray[np.int64]) -> Sums:
    watched = a.watched_films
    alone = of_shares(n[:, :watched, None], positive[:, :watched, None])
    return stacked([alone, of_shares(n[:, None, watched:], positive[:, None, watched:])])


def _bands(n: NDArray[np.int64], positive: NDArray[np.int64], rng: np.random.Generator) -> list[Sums]:
    in_band = rng.multinomial(positive, BAND_OF_POSITIVE)
    all_in_band = in_band + rng.multinomial(n - positive, BAND_OF_NEGATIVE)
    return [of_shares(all_in_band[:, None, :, b], in_band[:, None, :, b]) for b in range(len(BANDS))]


def _types(n: NDArray[np.int64], positive: NDArray[np.int64]) -> list[Sums]:
    n_types = len(TYPES)
    return [of_shares(n[:, None, t::n_types], positive[:, None, t::n_types]) for t in range(n_types)]


def _column(c: Column, a: Audience, n: NDArray[np.int64], rng: np.random.Generator, shift: Shift) -> Sums:
    moved = {
        "unknown_share": shift.unknown,
        "not_french": shift.foreign,
        "text_chars": shift.chars,
        "rating_missing": shift.missing,
        "uncertain": _uncertain_share(shift.confidence) - _uncertain_share(1.0),
    }
    mean = c.mean + moved[c.name]
    if not c.spread:
        scale = (1 - a.icc) / a.icc if a.icc else 0.0
        share = rng.beta(mean * scale, (1 - mean) * scale, n.shape) if scale else mean
        return of_shares(n[:, None, :], rng.binomial(n, share)[:, None, :])
    film_mean = mean + rng.normal(0, c.spread * a.icc**0.5, n.shape)
    total = n * film_mean + rng.normal(0, c.spread, n.shape) * np.sqrt(n)
    sums = of_shares(n[:, None, :], total[:, None, :])
    return replace(sums, square=n.sum(axis=1, keepdims=True) * (mean**2 + c.spread**2))


def _logits(
    n: NDArray[np.int64], positive: NDArray[np.int64], rng: np.random.Generator, shift: Shift
) -> NDArray[np.int64]:
    """Draw score histograms, nights x bins (null, underflow, bins, overflow)."""
    from scipy.stats import norm

    edges = np.array([-np.inf, *LOGIT_EDGES, np.inf])
    bells = [
        np.diff(norm.cdf(edges, centre * shift.confidence, LOGIT_SPREAD * shift.confidence))
        for centre in (LOGIT_POSITIVE, LOGIT_NEGATIVE)
    ]
    counts = rng.multinomial(positive, bells[0]) + rng.multinomial(n - positive, bells[1])
    return np.concatenate([np.zeros((len(n), 1), dtype=np.int64), counts], axis=1)


def joined(parts: list[Nights]) -> Nights:
    """Return the nights of all parts, one part after the other."""
    sums = Sums(**{name: np.concatenate([getattr(p.sums, name) for p in parts]) for name in Sums.__dataclass_fields__})
    names = ("days", "logits", "film_n", "film_positive")
    return Nights(sums=sums, **{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})
