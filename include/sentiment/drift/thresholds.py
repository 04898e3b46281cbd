"""Thresholds that keep a budget of false alarms, by resampling reference nights: never rows, never p-values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentiment.drift.channels import HIGH, LOW, SLACK, Thresholds
from sentiment.drift.counts import Array, Sums
from sentiment.drift.null_model import MIN_SERIES_NIGHTS, WEEKDAYS, Days, NullModel

NIGHTS_A_YEAR = 365
# A week, so that a block has every weekday once.
BLOCK_NIGHTS = 7
REPLICATES = 400
# Smaller values are no candidates for a threshold, so that only few have to be held in memory.
MATTERS_SHEWHART, MATTERS_CUSUM = 2.5, 3.0
# Fixed, so that the same nights have the same thresholds whenever they are pinned.
SEED = 20_260_301
MAIN, OTHER, NONE = 0, 1, 2
"""Families of series. Half the budget is for `MAIN`, the whole night's positive share, half for `OTHER`, every slice
and other column. `NONE` never alarms, but has warnings by the thresholds of `OTHER`."""

# Share of each half that thresholds aim at. What thresholds from one finite reference let through is more than its own
# nights show, most where there are many series: `python -m bench --only drift` prints what is achieved.
HEADROOM = {MAIN: 0.75, OTHER: 0.4}


@dataclass(frozen=True)
class Extremes:
    """Candidates for a threshold from resampled quiet years: values, and the index of the series each belongs to."""

    shewhart: Array
    """Values of |z| above `MATTERS_SHEWHART`."""
    shewhart_series: NDArray[np.int64]
    cusum: Array
    """Peaks of CUSUM's excursions above `MATTERS_CUSUM`."""
    cusum_series: NDArray[np.int64]
    years: int
    """Resampled years, of all series at once."""


def years(z: Array, shrinkage: Array, smooth: bool, replicates: int = REPLICATES, seed: int = SEED) -> Extremes:
    """Resample quiet years from the reference nights' z (nights x series, NaN where not judged); return their extremes.

    A night's series are drawn together, so that their correlation stays. Rough: blocks of a week
    (circular block bootstrap, Politis and Romano 1992), two of them mixed by a random angle, c a + s b with
    c^2 + s^2 = 1, so that mean, variance and correlation stay and values beyond the largest seen become possible,
    which a year needs (a smoothed bootstrap, Efron and Tibshirani 1993, section 16.5). Smooth: every reference
    night takes part with a normal weight (Wild or multiplier bootstrap, Mammen 1993). Rough knows heavy tails but
    has the error of a few nights in its own; smooth has little error but knows none.

    Each replicate is judged by a null model with the error that one fitted on so many nights has: its own mean,
    weekdays and dispersion. A CUSUM excursion, from zero to zero, counts once, with its peak.
    """
    rng = np.random.default_rng(seed)
    error, scale = _fitting_errors(z, shrinkage, replicates, rng)
    sums = np.zeros((2, replicates, z.shape[1]), dtype=np.float32)
    peak = np.zeros_like(sums)
    extremes: tuple[list[NDArray[Any]], ...] = ([], [], [], [])
    for night, drawn in enumerate(_nights(z, smooth, replicates, rng)):
        values = np.nan_to_num((drawn - error[night % WEEKDAYS]) * scale)
        _collect(extremes[0], extremes[1], np.abs(values), MATTERS_SHEWHART)
        sums[LOW] -= values
        sums[HIGH] += values
        sums -= SLACK
        over = sums <= 0
        sums[over] = 0
        over &= peak > MATTERS_CUSUM
        if over.any():
            _collect(extremes[2], extremes[3], peak * over, MATTERS_CUSUM)
        np.maximum(peak, sums, out=peak)
        peak[sums == 0] = 0
    _collect(extremes[2], extremes[3], peak, MATTERS_CUSUM)
    z_values, z_series, peaks, peak_series = (np.concatenate(part) for part in extremes)
    return Extremes(z_values, z_series.astype(np.int64), peaks, peak_series.astype(np.int64), replicates)


def _nights(z: Array, smooth: bool, replicates: int, rng: np.random.Generator) -> Iterator[Array]:
    # Normal weights on all nights are normal draws with the nights' covariance; its root is smaller than the nights.
    seen = ~np.isnan(z)
    _, root = np.linalg.qr(np.nan_to_num(z) / np.maximum(seen.sum(axis=0), 1) ** 0.5)
    root = root.astype(np.float32)
    z = z.astype(np.float32)
    for night in range(NIGHTS_A_YEAR):
        in_block = night % BLOCK_NIGHTS
        if smooth:
            # Series that are missing together in some reference night are missing together here.
            yield (
                rng.standard_normal((replicates, len(root)), dtype=np.float32)
                @ root
                * seen[rng.integers(len(z), size=replicates)]
            )
            continue
        if in_block == 0:
            starts = rng.integers(len(z), size=(2, replicates))
            angle = rng.uniform(0, 2 * np.pi, size=(replicates, 1)).astype(np.float32)
        a, b = z[(starts + in_block) % len(z)]
        yield np.cos(angle) * a + np.sin(angle) * b


def _collect(values: list[NDArray[Any]], series: list[NDArray[Any]], candidates: NDArray[Any], least: float) -> None:
    flat = candidates.ravel()
    large = np.flatnonzero(flat > least)
    values.append(flat[large])
    series.append(large % candidates.shape[-1])


def _fitting_errors(z: Array, shrinkage: Array, replicates: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Draw the errors of null models fitted to so many nights.

    Returns the error of the mean, weekday x replicate x series, and one over the fitted scale, replicate x series.
    """
    seen, values = ~np.isnan(z), np.nan_to_num(z)
    counts = rng.multinomial(len(z), np.full(len(z), 1 / len(z)), size=replicates).astype(np.float64)
    n = np.maximum(counts @ seen.astype(np.float64), 1.0)
    mean = counts @ values / n
    variance = counts @ values**2 / n - mean**2
    # A weekday's mean rests on a seventh of the nights: its own error is independent of the others'.
    own = rng.standard_normal((WEEKDAYS, *mean.shape)) * np.sqrt(WEEKDAYS / n)
    own -= own.mean(axis=0)
    error = (mean + shrinkage**0.5 * own).astype(np.float32)
    freedom = np.maximum(1 - (1 + shrinkage * (WEEKDAYS - 1)) / n, 0.1)
    scale = np.sqrt(freedom / np.clip(variance, 0.25 * freedom, 4.0 * freedom)).astype(np.float32)
    return error, scale


def choose(z: Array, shrinkage: Array, family: NDArray[np.int64], budget: float, seed: int = SEED) -> Thresholds:
    """Return each series' thresholds, so that at most `budget` alarms a year are expected when nothing changes.

    `z` is nights x series, NaN where not judged; `shrinkage` and `family` are over series. Half the budget goes to
    each family (`MAIN`, `OTHER`), half of that to each channel, and `HEADROOM` of it is aimed at: the threshold is
    where the resampled years, all series of the family together, pass it as often as that. Of the rough and the smooth
    resampling the stricter threshold holds.
    """
    both = [years(z, shrinkage, smooth, seed=seed) for smooth in (False, True)]
    shewhart, cusum = np.full(len(family), np.inf), np.full(len(family), np.inf)
    for member in (MAIN, OTHER):
        members = family == member
        rate = HEADROOM[member] * budget / 4
        shewhart[members] = max(_passed(e.shewhart[members[e.shewhart_series]], e.years, rate) for e in both)
        cusum[members] = max(_passed(e.cusum[members[e.cusum_series]], e.years, rate) for e in both)
    for limits in (shewhart, cusum):
        limits[family == NONE] = limits[family == OTHER].min(initial=np.inf)
    return Thresholds(shewhart, cusum)


def _passed(extremes: Array, n_years: int, rate: float) -> float:
    """Return the value that is passed `rate` times a year."""
    allowed = int(rate * n_years)
    if len(extremes) <= allowed:
        return float(extremes.min(initial=MATTERS_CUSUM))
    return float(np.partition(extremes, -1 - allowed)[-1 - allowed])


def of_series(
    model: NullModel, sums: Sums, days: Days, family: NDArray[np.int64], budget: float, seed: int = SEED
) -> Thresholds:
    """Choose the thresholds of a fitted model by the nights it was fitted to.

    A series without a null model has infinite thresholds: it never alarms.
    """
    judged = model.n_nights >= MIN_SERIES_NIGHTS
    z = model.z(sums, days)[:, judged]
    chosen = choose(z, model.shrinkage[judged], family[judged], budget, seed)
    shewhart, cusum = np.full(len(family), np.inf), np.full(len(family), np.inf)
    shewhart[judged], cusum[judged] = chosen.shewhart, chosen.cusum
    return Thresholds(shewhart, cusum)
