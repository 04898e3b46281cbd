"""The distribution of a quiet night: weekday-adjusted mean and film-clustered variance, from reference nights."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from sentiment.drift.counts import Array, Sums, divided

WEEKDAYS = 7
MIN_SERIES_NIGHTS = 28
"""A series with fewer judged reference nights has no null model: it stays insufficient_data."""
MIN_NIGHT_REVIEWS = 30
"""A night with fewer fresh reviews than this is not judged, in no series."""
MIN_SLICE_REVIEWS = 10
"""A series with fewer values than this on a night is not judged that night."""
MIN_SHARE = 1e-4
"""Expected shares are kept this far from 0 and 1."""
FLOOR_SHARE = 5.0
"""No standard error is believed to be smaller than the effect floor over this."""

Days = NDArray[np.int64]
"""Weekday of each night, Monday 0."""


@dataclass(frozen=True)
class NullModel:
    """The null distribution of every series: each field is an array over series, of `weekday` 7 x series.

    A night's mean has the expectation `mean + weekday[w]` and the variance that `variance` returns. No field is null or
    NaN; a series with `n_nights` below `MIN_SERIES_NIGHTS` has no null model, whatever its other fields hold.
    """

    mean: Array
    """Mean over all reference nights, weighted by reviews, in the column's unit."""
    weekday: Array
    """Effect of each weekday, Monday first, shrunk; in the column's unit, added to `mean`."""
    sigma_sq: Array
    """Variance of one review's value, in the column's unit squared."""
    icc: Array
    """Intraclass correlation: of two reviews of one film in one night, 0 to 1."""
    dispersion: Array
    """Variance of reference nights over the clustered variance: a factor, 1 where nights scatter as films explain."""
    shrinkage: Array
    """Share of the raw weekday effects that was retained, 0 to 1."""
    n_nights: Array
    """Reference nights with at least `MIN_SLICE_REVIEWS` values."""
    n: Array
    """Values in those nights."""
    floor: Array
    """Effect floor, in the column's unit."""
    is_share: Array
    """1 where the mean is a share of yes, 0 for any other mean."""
    centre: Array
    """Mean z of the reference nights, which `z` subtracts."""

    def expected(self, days: Days) -> Array:
        """Return the expected mean, nights x series, in the column's unit."""
        means: Array = self.mean + self.weekday[days]
        return means

    def variance(self, sums: Sums) -> Array:
        """Return the variance of a night's mean when nothing has changed, nights x series; NaN where n is 0.

        sigma^2 (1/n + icc (sum n_f^2 - n) / n^2), Kish 1965, "Survey Sampling", for clusters of unequal size, times
        the dispersion of the reference nights, but at least (floor / `FLOOR_SHARE`)^2.
        """
        # The night's own scatter between films is not used: one film that is being review-bombed would widen its own
        # yardstick.
        return np.maximum(self._clustered(sums), self._least_error**2)

    def _clustered(self, sums: Sums) -> Array:
        by_films = divided(sums.n + self.icc * np.maximum(sums.item_n_sq - sums.n, 0.0), sums.n**2)
        return self.sigma_sq * by_films * self.dispersion

    @property
    def _least_error(self) -> Array:
        return self.floor / FLOOR_SHARE

    def effect(self, sums: Sums, days: Days) -> Array:
        """Return the mean less the expected one, nights x series, in the column's unit; NaN where not `judged`."""
        effect: Array = np.where(self.judged(sums), sums.mean - self.expected(days), np.nan)
        return effect

    def z(self, sums: Sums, days: Days) -> Array:
        """Return the mean less the expected one in standard errors, nights x series; NaN where not `judged`.

        Shares are compared as Anscombe's 2 asin(sqrt((k + 3/8) / (n + 3/4))), whose error hardly depends on the share
        (Biometrika 1948), n being the number of independent reviews that would have the same variance: a share of 1 %
        has a long tail upwards that would raise false alarms. `centre` is subtracted, so that the reference nights
        have the mean 0.
        """
        expected = self.expected(days)
        plain = (sums.mean - expected) / np.sqrt(self.variance(sums))
        angle = _angle(sums.mean, expected, self._clustered(sums), self._least_error)
        z = np.where(self.is_share > 0, angle, plain) - self.centre
        judged: Array = np.where(self.judged(sums), z, np.nan)
        return judged

    def judged(self, sums: Sums) -> NDArray[np.bool_]:
        """Return where a series has a null model and the night enough values, nights x series.

        The caller masks nights below `MIN_NIGHT_REVIEWS`, which only the whole night shows.
        """
        judged: NDArray[np.bool_] = (sums.n >= MIN_SLICE_REVIEWS) & (self.n_nights >= MIN_SERIES_NIGHTS)
        return judged

    def __getitem__(self, series: object) -> NullModel:
        return NullModel(**{f.name: getattr(self, f.name)[..., series] for f in fields(self)})


def fit(sums: Sums, days: Days, floor: Array, is_share: Array) -> NullModel:
    """Return the null model of reference nights x series.

    `days` are the nights' weekdays, `floor` the effect floors by series, `is_share` 1 for means of yes-or-no columns.
    Weekday effects are shrunk towards none as far as their own error reaches (positive-part James and Stein; Efron
    and Morris 1973). The dispersion is the mean squared z of the reference nights, with as many degrees of freedom
    taken off as means were fitted (the quasi-likelihood estimate of McCullagh and Nelder 1989, section 4.5).
    """
    used = sums.n >= MIN_SLICE_REVIEWS
    judged = sums.masked(used)
    total = judged.over_nights()
    mean = np.nan_to_num(total.mean)
    spread = np.maximum(np.nan_to_num(divided(total.square, total.n)) - mean**2, 0.0)
    # A share that was 0 on every night has no spread; without this its first exception would be infinitely unlikely.
    sigma_sq = np.maximum(spread, divided(np.ones_like(mean), 4 * (total.n + 1)))
    raw, error_sq = _weekday_effects(judged, days, mean)
    shrinkage = _shrinkage(raw, error_sq)
    weekday = shrinkage * raw
    expected = mean + weekday[days]
    # E sum_f (s_f - n_f mean)^2 = sigma^2 (n + icc (sum n_f^2 - n)), solved for icc.
    pairs = np.maximum(total.item_n_sq - total.n, 0.0)
    squares = judged.item_squares(expected).sum(axis=0)
    icc = np.clip(np.nan_to_num(divided(squares / sigma_sq - total.n, pairs)), 0.0, 1.0)
    one, none = np.ones_like(mean), np.zeros_like(mean)
    nights = used.sum(axis=0)
    raw_model = NullModel(
        mean, weekday, sigma_sq, icc, one, shrinkage, nights, total.n, none, np.asarray(is_share, dtype=float), none
    )
    z = np.where(used, raw_model.z(sums, days), np.nan)
    freedom = np.maximum(nights - 1 - shrinkage * (WEEKDAYS - 1), 1.0)
    centre = np.nan_to_num(divided(np.nansum(z, axis=0), nights))
    dispersion = np.nansum((z - centre) ** 2, axis=0) / freedom
    dispersed = replace(raw_model, dispersion=dispersion, floor=floor)
    # Once more with dispersion and floor: both change the scale of z, so that its mean moves a little.
    z = np.where(used, dispersed.z(sums, days), np.nan)
    return replace(dispersed, centre=np.nan_to_num(divided(np.nansum(z, axis=0), nights)))


def _angle(share: Array, expected: Array, variance: Array, least_error: Array) -> Array:
    q = np.clip(expected, MIN_SHARE, 1 - MIN_SHARE)
    # The least error as an angle: by its slope at a share near 0 it would be far too wide.
    least = 2 * (np.arcsin(np.sqrt(np.minimum(q + least_error, 1.0))) - np.arcsin(np.sqrt(q)))
    with np.errstate(divide="ignore"):
        independent = np.minimum(q * (1 - q) / variance, least**-2.0)
    p = (np.clip(np.nan_to_num(share), 0.0, 1.0) * independent + 0.375) / (independent + 0.75)
    z: Array = 2 * (np.arcsin(np.sqrt(p)) - np.arcsin(np.sqrt(q))) * np.sqrt(independent + 0.5)
    return z


def _weekday_effects(judged: Sums, days: Days, mean: Array) -> tuple[Array, Array]:
    """Return each weekday's mean less the mean of all, and the squared error of that, both 7 x series.

    The error comes from the nights themselves: the variance of their means within a weekday, weighted by reviews.
    """
    effects, errors = np.zeros((WEEKDAYS, len(mean))), np.zeros((WEEKDAYS, len(mean)))
    for day in range(WEEKDAYS):
        of_day = judged[days == day]
        total = of_day.over_nights()
        day_mean = np.nan_to_num(divided(total.total, total.n))
        nights = (of_day.n > 0).sum(axis=0)
        scatter = ((of_day.total - of_day.n * day_mean) ** 2).sum(axis=0)
        few_nights = np.where(nights > 1, nights / np.maximum(nights - 1, 1), 1.0)
        effects[day] = np.where(nights > 1, day_mean - mean, 0.0)
        errors[day] = np.nan_to_num(divided(scatter * few_nights, total.n**2))
    return effects, errors


def _shrinkage(effects: Array, error_sq: Array) -> Array:
    """Return the share of the weekday effects that is not their own error, 0 to 1 for each series."""
    between = (effects**2).sum(axis=0) / (WEEKDAYS - 1)
    own = error_sq.mean(axis=0)
    share: Array = np.clip(1.0 - np.nan_to_num(divided(own, between), nan=1.0), 0.0, 1.0)
    return share
