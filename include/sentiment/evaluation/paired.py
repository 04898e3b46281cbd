"""Compare two models on the same records: is one right more often than the other?"""

from __future__ import annotations

from dataclasses import dataclass

from sentiment.evaluation import intervals


@dataclass(frozen=True)
class Pairs:
    """Counts of records that two models have both predicted."""

    n: int
    only_first_right: int
    only_second_right: int


@dataclass(frozen=True)
class Comparison:
    """The difference of two models' accuracies on the same records."""

    difference: float
    """Accuracy of the first model less that of the second, from -1 to 1."""
    low: float
    """Lower end of the difference's 95 % interval."""
    high: float
    """Upper end of the difference's 95 % interval."""
    p_value: float
    """McNemar's exact test, two-sided."""


def compare(pairs: Pairs) -> Comparison:
    """Return the difference and the p-value of McNemar's exact test (1947); `pairs.n` must not be 0.

    Under the null hypothesis each model is right in half of the records that only one of them has right. Where there
    are no such records the p-value is 1.
    """
    from scipy.stats import binomtest

    first, second = pairs.only_first_right, pairs.only_second_right
    p_value = float(binomtest(first, first + second, 0.5).pvalue) if first + second else 1.0
    interval = intervals.paired_difference(first, second, pairs.n)
    return Comparison((first - second) / pairs.n, *interval, p_value)
