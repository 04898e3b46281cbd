"""Made-up nights as counts: film-clustered, weekday-patterned, with what a user wants to see found injected.

Years cost fractions of a second, since only sums by film and night are drawn, never rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from sentiment.drift.counts import Array, Sums, of_shares, stacked
from sentiment.drift.null_model import WEEKDAYS, Days

WEEKDAY_VOLUME = np.array([0.80, 0.80, 0.90, 0.90, 1.10, 1.35, 1.15])
WEEKDAY_SHARE = np.array([0.0, 0.0, -0.01, -0.01, 0.0, 0.015, 0.005])
BANDS = ("low", "middle", "high", "none")
BAND_OF_POSITIVE = np.array([0.03, 0.20, 0.52, 0.25])
BAND_OF_NEGATIVE = np.array([0.45, 0.25, 0.05, 0.25])
TYPES = ("film", "series", "")
LOGIT_EDGES = tuple(float(e) for e in range(-8, 9))
LOGIT_POSITIVE, LOGIT_NEGATIVE, LOGIT_SPREAD = 3.0, -3.0, 2.0


@dataclass(frozen=True)
class Audience:
    """Who reviews, when nothing happens."""

    reviews: float = 800
    """New reviews of a mean night."""
    design_effect: float = 1.5
    """Variance of the night's positive share over that of as many independent reviews."""
    films: int = 60
    watched_films: int = 32
    share: float = 0.6
    """Positive share."""
    volume_spread: float = 0.12

    @property
    def weights(self) -> Array:
        """Each film's part of a night: a few films make most of it."""
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
    """What changes; every number is added to the quiet one, from the first to the last night of the stretch."""

    share: float = 0.0
    """Of the positive share, of every film."""
    film: int | None = None
    """This film alone is turned: its positive share becomes `film_share`."""
    film_share: float = 0.05
    wave: float = 0.0
    """Share of each night that a single new, disliked film (none of the watched) takes."""
    unknown: float = 0.0
    """Share of wordpieces the model does not know."""
    foreign: float = 0.0
    """Share of reviews that are not French."""
    chars: float = 0.0
    """Characters a review."""
    missing: float = 0.0
    """Share of reviews without a rating."""
    volume: float = 1.0
    """Factor on the number of reviews."""
    confidence: float = 1.0
    """Factor on logits: another model, more or less sure of itself."""


QUIET = Shift()


@dataclass(frozen=True)
class Column:
    """A made-up column of the whole night: mean and standard deviation of one review's value; 0 for a share."""

    name: str
    mean: float
    spread: float
    floor: float


def _unsure(confidence: float) -> float:
    """Share of reviews whose probability lies between .35 and .65, where a model is so much surer than the usual."""
    bound, bell = math.log(0.65 / 0.35), NormalDist(LOGIT_POSITIVE * confidence, LOGIT_SPREAD * confidence)
    return bell.cdf(bound) - bell.cdf(-bound)


COLUMNS = (
    Column("unknown_share", 0.004, 0.012, 0.01),
    Column("not_french", 0.01, 0.0, 0.02),
    Column("text_chars", 400.0, 300.0, 50.0),
    Column("rating_missing", 0.25, 0.0, 0.05),
    Column("uncertain", _unsure(1.0), 0.0, 0.02),
)
SHARE_FLOOR = 0.02


def shares_of(audience: Audience) -> Array:
    """1 for every series that is a share, else 0."""
    numeric = {c.name for c in COLUMNS if c.spread}
    return np.array([float(column not in numeric) for _, _, column in series_of(audience)])


@dataclass(frozen=True)
class Nights:
    """Counts of some nights: `sums` nights x series, in the order of `series_of`; `logits` nights x bins."""

    days: Days
    sums: Sums
    logits: NDArray[np.int64]
    film_n: NDArray[np.int64] = field(repr=False)
    film_positive: NDArray[np.int64] = field(repr=False)

    def __getitem__(self, nights: object) -> Nights:
        one = replace(self, sums=self.sums[nights])
        parts = {name: getattr(self, name)[nights] for name in ("days", "logits", "film_n", "film_positive")}
        return replace(one, **parts)


Key = tuple[str, str, str]


def series_of(audience: Audience) -> list[Key]:
    """Slice key, slice value and column of every simulated series: the whole night's positive share is the first."""
    films = [f"film-{no + 1:02d}" for no in range(audience.watched_films)] + ["(rest)"]
    slices = [("film", f) for f in films] + [("rating_band", b) for b in BANDS] + [("item_type", t) for t in TYPES]
    return [
        ("all", "all", "positive"),
        *((key, value, "positive") for key, value in slices),
        *(("all", "all", c.name) for c in COLUMNS),
    ]


def floors_of(audience: Audience) -> Array:
    """Effect floor of every series."""
    by_name = {c.name: c.floor for c in COLUMNS}
    return np.array([by_name.get(column, SHARE_FLOOR) for _, _, column in series_of(audience)])


def nights(
    audience: Audience, n_nights: int, rng: np.random.Generator, shift: Shift = QUIET, first_day: int = 0
) -> Nights:
    """Draw `n_nights` nights in a row, the first on weekday `first_day`."""
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
    yes = rng.multinomial(positive, BAND_OF_POSITIVE)
    no = rng.multinomial(n - positive, BAND_OF_NEGATIVE)
    return [of_shares((yes + no)[:, None, :, b], yes[:, None, :, b]) for b in range(len(BANDS))]


def _types(n: NDArray[np.int64], positive: NDArray[np.int64]) -> list[Sums]:
    step = len(TYPES)
    return [of_shares(n[:, None, t::step], positive[:, None, t::step]) for t in range(step)]


def _column(c: Column, a: Audience, n: NDArray[np.int64], rng: np.random.Generator, shift: Shift) -> Sums:
    moved = {
        "unknown_share": shift.unknown,
        "not_french": shift.foreign,
        "text_chars": shift.chars,
        "rating_missing": shift.missing,
        "uncertain": _unsure(shift.confidence) - _unsure(1.0),
    }
    mean = c.mean + moved[c.name]
    if not c.spread:
        scale = (1 - a.icc) / a.icc if a.icc else 0.0
        share = rng.beta(mean * scale, (1 - mean) * scale, n.shape) if scale else mean
        return of_shares(n[:, None, :], rng.binomial(n, share)[:, None, :])
    film_mean = mean + rng.normal(0, c.spread * a.icc**0.5, n.shape)
    total = n * film_mean + rng.normal(0, c.spread, n.shape) * np.sqrt(n)
    one = of_shares(n[:, None, :], total[:, None, :])
    return replace(one, square=n.sum(axis=1, keepdims=True) * (mean**2 + c.spread**2))


def _logits(
    n: NDArray[np.int64], positive: NDArray[np.int64], rng: np.random.Generator, shift: Shift
) -> NDArray[np.int64]:
    """Score histograms (null, underflow, bins, overflow): positive and negative reviews have their own bells."""
    from scipy.stats import norm

    edges = np.array([-np.inf, *LOGIT_EDGES, np.inf])
    bells = [
        np.diff(norm.cdf(edges, centre * shift.confidence, LOGIT_SPREAD * shift.confidence))
        for centre in (LOGIT_POSITIVE, LOGIT_NEGATIVE)
    ]
    counted = rng.multinomial(positive, bells[0]) + rng.multinomial(n - positive, bells[1])
    return np.concatenate([np.zeros((len(n), 1), dtype=np.int64), counted], axis=1)


def joined(parts: list[Nights]) -> Nights:
    """Stretches of nights one after the other."""
    sums = Sums(**{name: np.concatenate([getattr(p.sums, name) for p in parts]) for name in Sums.__dataclass_fields__})
    names = ("days", "logits", "film_n", "film_positive")
    return Nights(sums=sums, **{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})
