"""The usual alarms, for comparison on the same nights: fixed cut-offs, a row-level p-value, a trailing band."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sentiment.drift.counts import Array
from sentiment.drift.distances import SMOOTHING, middles
from sentiment.drift.simulate import LOGIT_EDGES, Nights

CUTS = {"PSI > 0.1": 0.1, "KS p < .05": 0.95, "Wasserstein > .1": 0.1, "trailing 3 sigma": 3.0}
"""Rule -> what its score must pass to fire; of Kolmogorov-Smirnov the score is 1 - p."""
TRAILING_NIGHTS = 28


def scores(reference: Nights, nights: Nights) -> dict[str, Array]:
    """Each rule's score of each night, by score histograms or the share of the whole night."""
    from scipy import stats

    r, h = reference.logits.sum(axis=0).astype(float), nights.logits.astype(float)
    n, m = h.sum(axis=1), r.sum()
    share = nights.sums.mean[:, 0]
    past = np.concatenate([reference.sums.mean[-TRAILING_NIGHTS:, 0], share])
    found = (
        psi(h, r),
        stats.kstwobign.cdf(ks(h, r) * np.sqrt(n * m / (n + m))),
        wasserstein(h, r) / _spread(r),
        _trailing(past, len(share)),
    )
    return dict(zip(CUTS, found, strict=True))


def episodes(years: Sequence[Array], cut: float) -> float:
    """Alarms a year, where one lasts while the rule fires night after night and counts once."""
    fires = [scored > cut for scored in years]
    return float(np.mean([(f & ~np.concatenate([[False], f[:-1]])).sum() for f in fires]))


def cut_for(years: Sequence[Array], rate: float) -> float:
    """The smallest cut-off, among the scores seen, that raises no more than `rate` alarms a year."""
    seen = np.unique(np.concatenate(list(years)))
    low, high = 0, len(seen) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if episodes(years, seen[middle]) <= rate else (middle + 1, high)
    return float(seen[low])


def psi(nights: Array, reference: Array) -> Array:
    """Population stability index of each night's bins, half a count added to each."""
    from scipy import special

    p = (nights + SMOOTHING) / (nights + SMOOTHING).sum(axis=1, keepdims=True)
    q = (reference + SMOOTHING) / (reference + SMOOTHING).sum()
    found: Array = special.rel_entr(p, q).sum(axis=1) + special.rel_entr(q, p).sum(axis=1)
    return found


def ks(nights: Array, reference: Array) -> Array:
    """Largest distance of the cumulated bins."""
    found: Array = np.abs(_cumulated(nights) - _cumulated(reference)).max(axis=-1)
    return found


def wasserstein(nights: Array, reference: Array) -> Array:
    """Distance of the histograms on bin middles, in logits."""
    gaps = np.abs(_cumulated(nights[:, 1:]) - _cumulated(reference[1:]))[:, :-1]
    found: Array = (gaps * np.diff(middles(LOGIT_EDGES))).sum(axis=1)
    return found


def _cumulated(counts: Array) -> Array:
    found: Array = np.cumsum(counts, axis=-1) / np.maximum(counts.sum(axis=-1, keepdims=True), 1)
    return found


def _spread(reference: Array) -> float:
    m, p = middles(LOGIT_EDGES), reference[1:] / reference[1:].sum()
    return float(((m**2 * p).sum() - (m * p).sum() ** 2) ** 0.5)


def _trailing(share: Array, n_nights: int) -> Array:
    windows = np.lib.stride_tricks.sliding_window_view(share, TRAILING_NIGHTS)[:n_nights]
    found: Array = np.abs(share[TRAILING_NIGHTS:] - windows.mean(axis=1)) / windows.std(axis=1)
    return found
