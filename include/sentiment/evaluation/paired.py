"""Two models on the same records: is one right more often than the other?"""

from __future__ import annotations

from dataclasses import dataclass

from sentiment.evaluation import intervals


@dataclass(frozen=True)
class Pairs:
    """Records that both have answered, and those of them that only one has right."""

    n: int
    only_first_right: int
    only_second_right: int


@dataclass(frozen=True)
class Comparison:
    """Accuracy of the first less that of the second with its 95 % interval, and McNemar's exact p-value."""

    difference: float
    low: float
    high: float
    p_value: float


def compare(pairs: Pairs) -> Comparison:
    """McNemar's test (1947), exact and two-sided: were both as good, each would be right in half of the records that
    one alone has right."""
    from scipy.stats import binomtest

    first, second = pairs.only_first_right, pairs.only_second_right
    p_value = float(binomtest(first, first + second, 0.5).pvalue) if first + second else 1.0
    interval = intervals.paired_difference(first, second, pairs.n)
    return Comparison((first - second) / pairs.n, *interval, p_value)
