"""Distances between two histograms on the same bins, for display beside the test that decides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Added to every bin before shares are taken (Jeffreys' prior for a share).
SMOOTHING = 0.5

Counts = NDArray[np.float64]


@dataclass(frozen=True)
class Distances:
    """Distances of one comparison: all None where a side is empty, never NaN."""

    js_distance: float | None
    """Jensen-Shannon, in base 2, 0 to 1."""
    ks_statistic: float | None
    """Largest distance of the cumulated bins, 0 to 1."""
    population_stability_index: float | None
    """With `SMOOTHING` added to every bin, so that an empty bin leaves it finite."""
    wasserstein_distance: float | None
    """In the column's unit, with bins at their middles; None, too, where a side has nulls alone."""
    chi_squared_statistic: float | None
    """Pearson's, on the bins that hold anything."""


def between(counts: Counts, reference: Counts, edges: tuple[float, ...]) -> Distances:
    """Compare `counts` with `reference`, both (null, underflow, bins, overflow) on `edges`, for display only."""
    from scipy import spatial, special, stats

    if not counts.sum() or not reference.sum():
        return Distances(None, None, None, None, None)
    p, q = _shares(counts), _shares(reference)
    table = np.vstack([counts, reference])
    table = table[:, table.sum(axis=0) > 0]
    chi = float(stats.chi2_contingency(table).statistic) if table.shape[1] > 1 else 0.0
    points, h, r = middles(edges), counts[1:], reference[1:]
    wasserstein = float(stats.wasserstein_distance(points, points, h, r)) if h.sum() and r.sum() else None
    gap = np.abs(np.cumsum(counts / counts.sum()) - np.cumsum(reference / reference.sum())).max()
    return Distances(
        js_distance=float(spatial.distance.jensenshannon(p, q, base=2)),
        ks_statistic=float(gap),
        population_stability_index=float(special.rel_entr(p, q).sum() + special.rel_entr(q, p).sum()),
        wasserstein_distance=wasserstein,
        chi_squared_statistic=chi,
    )


def _shares(counts: Counts) -> Counts:
    smoothed = counts + SMOOTHING
    shares: Counts = smoothed / smoothed.sum()
    return shares


def middles(edges: tuple[float, ...]) -> Counts:
    """Return one point a bin, the null bin left out; of an open end half a neighbouring width outside its edge."""
    e = np.asarray(edges, dtype=np.float64)
    if len(e) == 1:
        return np.asarray([e[0] - 0.5, e[0] + 0.5])
    return np.concatenate([[e[0] - (e[1] - e[0]) / 2], (e[:-1] + e[1:]) / 2, [e[-1] + (e[-1] - e[-2]) / 2]])
