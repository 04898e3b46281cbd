"""The usual alarms, for comparison on the same nights: fixed cut-offs, a row-level p-value, a trailing band."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sentiment.drift.counts import Array
from sentiment.drift.distances import SMOOTHING, middles
from sentiment.drift.simulate import LOGIT_EDGES, Nights

RULES = ("PSI > 0.1", "KS p < .05", "Wasserstein > .1", "trailing 3 sigma")
PSI_CUT, KS_P, WASSERSTEIN_CUT, SIGMAS = 0.1, 0.05, 0.1, 3.0
TRAILING_NIGHTS = 28


def fire(reference: Nights, nights: Nights) -> dict[str, NDArray[np.bool_]]:
    """Which rule fires on which night, judged on score histograms or the share of the whole night."""
    from scipy import stats

    r, h = reference.logits.sum(axis=0).astype(float), nights.logits.astype(float)
    n, m = h.sum(axis=1), r.sum()
    p_value = stats.kstwobign.sf(ks(h, r) * np.sqrt(n * m / (n + m)))
    share = nights.sums.mean[:, 0]
    past = np.concatenate([reference.sums.mean[-TRAILING_NIGHTS:, 0], share])
    return dict(
        zip(
            RULES,
            (
                psi(h, r) > PSI_CUT,
                p_value < KS_P,
                wasserstein(h, r) / _spread(r) > WASSERSTEIN_CUT,
                _trailing(past, len(share)),
            ),
            strict=True,
        )
    )


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


def _trailing(share: Array, n_nights: int) -> NDArray[np.bool_]:
    windows = np.lib.stride_tricks.sliding_window_view(share, TRAILING_NIGHTS)[:n_nights]
    found: NDArray[np.bool_] = np.abs(share[TRAILING_NIGHTS:] - windows.mean(axis=1)) > SIGMAS * windows.std(axis=1)
    return found
