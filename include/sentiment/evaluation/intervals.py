"""95 % intervals of proportions, of F1 and of a difference on the same records: closed forms, nothing is resampled."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

Z = 1.959963984540054
"""The normal distribution's 97.5 % quantile."""


class Interval(NamedTuple):
    """Lower and upper end."""

    low: float
    high: float


def wilson(k: int, n: int) -> Interval | None:
    """Of the proportion k/n (Wilson 1927); None of nothing."""
    if n == 0:
        return None
    share, shrink = k / n, 1 + Z**2 / n
    middle = (share + Z**2 / (2 * n)) / shrink
    half = Z * sqrt(share * (1 - share) / n + Z**2 / (4 * n**2)) / shrink
    return Interval(max(middle - half, 0.0), min(middle + half, 1.0))


def f1_score(true_positive: int, false_positive: int, false_negative: int) -> Interval | None:
    """Of F1, by Wilson's interval of the Jaccard index, as Lam, Gopal and Qian (2023, arXiv:2309.14621) propose; None
    of nothing.

    Of the records that are of the label or are called so, `true_positive` are both: a proportion J, given how many
    there are. F1 = 2J / (1 + J) grows with J, so the ends of J's Wilson interval are those of F1.
    """
    both = wilson(true_positive, true_positive + false_positive + false_negative)
    return Interval(*(2 * j / (1 + j) for j in both)) if both else None


def paired_difference(only_first: int, only_second: int, n: int) -> Interval:
    """Of (only_first - only_second) / n, where n > 0 pairs are right or wrong: Bonett and Price (2012), which
    Fagerland, Lydersen and Laake (2014) recommend; cut at -1 and 1."""
    first, second = (only_first + 1) / (n + 2), (only_second + 1) / (n + 2)
    half = Z * sqrt((first + second - (first - second) ** 2) / (n + 2))
    return Interval(max(first - second - half, -1.0), min(first - second + half, 1.0))
