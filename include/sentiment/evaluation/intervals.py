"""95 % confidence intervals of proportions, of F1 and of paired differences: closed forms, nothing is resampled."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

Z = 1.959963984540054
"""The normal distribution's 97.5 % quantile."""


class Interval(NamedTuple):
    """The ends of a 95 % confidence interval, in the figure's own unit."""

    low: float
    high: float


def wilson(k: int, n: int) -> Interval | None:
    """Return the interval of the proportion k/n (Wilson 1927), from 0 to 1; None where n is 0."""
    if n == 0:
        return None
    share, shrink = k / n, 1 + Z**2 / n
    middle = (share + Z**2 / (2 * n)) / shrink
    half = Z * sqrt(share * (1 - share) / n + Z**2 / (4 * n**2)) / shrink
    # Exact ends are in [0, 1]; rounding can put those of k = 0 and k = n a hair outside.
    return Interval(max(middle - half, 0.0), min(middle + half, 1.0))


def f1_score(true_positive: int, false_positive: int, false_negative: int) -> Interval | None:
    """Return the interval of F1 by way of the Jaccard index (Lam, Gopal and Qian 2023, arXiv:2309.14621).

    The Jaccard index J is the proportion of `true_positive` among the records that have the label or are predicted to
    have it. F1 = 2J / (1 + J) grows with J, so the ends of J's Wilson interval give those of F1. None where all three
    counts are 0.
    """
    jaccard = wilson(true_positive, true_positive + false_positive + false_negative)
    return Interval(*(2 * j / (1 + j) for j in jaccard)) if jaccard else None


def paired_difference(only_first: int, only_second: int, n: int) -> Interval:
    """Return the interval of (only_first - only_second) / n over n > 0 pairs of right or wrong answers.

    Bonett and Price (2012), which Fagerland, Lydersen and Laake (2014) recommend; cut at -1 and 1.
    """
    # One pair more on either side, else the interval had no width where no pair differs.
    first, second = (only_first + 1) / (n + 2), (only_second + 1) / (n + 2)
    half = Z * sqrt((first + second - (first - second) ** 2) / (n + 2))
    return Interval(max(first - second - half, -1.0), min(first - second + half, 1.0))
