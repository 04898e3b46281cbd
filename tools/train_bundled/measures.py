"""Accuracy, calibration error and Brier score of predicted probabilities."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tools.train_bundled.recipe import Floats, Ints

BINS = 10
Z_95 = 1.959964


class Measures(NamedTuple):
    """Measures of probabilities of the favourable class against labels."""

    accuracy: float
    low: float
    high: float
    """Wilson's 95 % interval of the accuracy."""
    ece: float
    """Expected calibration error, over `BINS` bins of confidence of equal width between 0.5 and 1."""
    brier: float
    """Mean squared error of the probability."""


def measure(positive: Floats, labels: Ints) -> Measures:
    """Measure probabilities of texts that were held out."""
    right = (positive >= 0.5) == (labels == 1)
    low, high = wilson(int(right.sum()), len(right))
    brier = float(((positive - labels) ** 2).mean())
    return Measures(float(right.mean()), low, high, _ece(np.maximum(positive, 1 - positive), right), brier)


def wilson(right: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % score interval of the share right / n (Wilson, 1927)."""
    share, z2 = right / n, Z_95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = Z_95 / (1 + z2 / n) * np.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return float(centre - reach), float(centre + reach)


def _ece(confidence: Floats, right: np.ndarray) -> float:
    bins = np.minimum(((confidence - 0.5) * 2 * BINS).astype(int), BINS - 1)
    chosen = [bins == i for i in np.unique(bins)]
    return float(sum(abs(confidence[c].mean() - right[c].mean()) * c.mean() for c in chosen))
