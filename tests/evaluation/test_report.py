"""The card's table to the digit of scikit-learn's, intervals by scipy and by hand, calibration by definition."""

from __future__ import annotations

import random
import warnings
from collections import defaultdict
from math import ceil

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import settings as how
from hypothesis import strategies as st
from scipy.stats import binom, binomtest
from sentiment.evaluation import card, intervals, paired, report
from sentiment.evaluation.paired import Pairs
from sentiment.evaluation.report import BINS, Cell, Report
from sklearn.metrics import brier_score_loss, classification_report, confusion_matrix

Answer = tuple[str, str, float]
"""Label, prediction, and the prediction's probability."""


def counted(answers: list[Answer]) -> list[Cell]:
    """Cells as Spark counts them, for two labels."""
    groups: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    for label, predicted, confidence in answers:
        groups[label, predicted, min(max(ceil(confidence * BINS) - 1, 0), BINS - 1)].append(confidence)
    return [
        Cell(*key, len(sure), sum(sure), sum(2 * ((1 - p) if key[0] == key[1] else p) ** 2 for p in sure))
        for key, sure in groups.items()
    ]


def sure(answers: list[tuple[str, str]]) -> Report:
    return report.from_cells(counted([(label, predicted, 0.9) for label, predicted in answers]), 2)


def by_scikit_learn(answers: list[tuple[str, str]], digits: int) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of labels that are never predicted, whose precision is 0
        text: str = classification_report(*zip(*answers, strict=True), digits=digits)
    return text


NAMES = st.sampled_from(["neg", "pos", "a label with a long name", "5"])


# No deadline: on a busy machine one example takes longer than Hypothesis allows by default.
@how(deadline=None)
@given(st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=60), st.integers(1, 8))
def test_the_table_is_scikit_learns_whatever_is_predicted(answers: list[tuple[str, str]], digits: int) -> None:
    assume(any(label == predicted for label, predicted in answers))  # else scikit-learn prints supports as 1.0
    assert "\n".join(card.table(sure(answers), digits)) + "\n" == by_scikit_learn(answers, digits)


@pytest.mark.parametrize("n", [20_000, 1_999, 3])
def test_the_table_is_scikit_learns_on_a_large_set(n: int) -> None:
    chance = random.Random(n)
    labels = [chance.choice(["neg", "pos"]) for _ in range(n)]
    answers = [(label, label if chance.random() < 0.95 else chance.choice(["neg", "pos"])) for label in labels]
    for digits in (2, 4):
        assert "\n".join(card.table(sure(answers), digits)) + "\n" == by_scikit_learn(answers, digits)


def test_the_confusion_matrix_is_scikit_learns() -> None:
    answers = [("neg", "neg"), ("neg", "pos"), ("pos", "pos"), ("pos", "pos"), ("mixed", "pos")]
    matrix = sure(answers).confusion
    expected = confusion_matrix(*zip(*answers, strict=True))
    names = ["mixed", "neg", "pos"]
    assert [[matrix[label, predicted] for predicted in names] for label in names] == expected.tolist()
    assert card.confusion(sure(answers)) == [
        "labelled as, predicted as      mixed       neg       pos",
        "                    mixed          0         0         1",
        "                      neg          0         1         1",
        "                      pos          0         0         2",
    ]


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (3, 10), (0, 50), (50, 50), (19_000, 20_000)])
def test_proportions_have_wilson_intervals(k: int, n: int) -> None:
    expected = binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert intervals.wilson(k, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_figures_and_their_intervals_by_hand() -> None:
    # 8 of 10 neg and 17 of 20 pos are found; 11 are called neg, 19 pos.
    figures = sure([("neg", "neg")] * 8 + [("neg", "pos")] * 2 + [("pos", "pos")] * 17 + [("pos", "neg")] * 3)
    neg, pos = figures.labels
    assert (neg.precision.value, neg.recall.value, neg.support) == (8 / 11, 8 / 10, 10)
    assert (pos.precision.value, pos.recall.value, pos.support) == (17 / 19, 17 / 20, 20)
    assert figures.accuracy.value == 25 / 30
    assert neg.recall.interval == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert neg.precision.interval == pytest.approx((0.4344, 0.9025), abs=1e-4)
    # J = 8 / (8 + 3 + 2): Wilson gives 0.3552 to 0.8229, and F1 = 2J / (1 + J).
    assert neg.f1_score.value == pytest.approx(2 * 8 / 21)
    assert intervals.wilson(8, 13) == pytest.approx((0.3552, 0.8229), abs=1e-4)
    assert neg.f1_score.interval == pytest.approx((0.5242, 0.9028), abs=1e-4)


def test_the_interval_of_f1_covers_the_truth_in_95_percent() -> None:
    chances = [0.42, 0.06, 0.05, 0.47]  # right positive, wrong positive, missed, right negative
    truth = 2 * chances[0] / (2 * chances[0] + chances[1] + chances[2])
    drawn = np.random.default_rng(1).multinomial(300, chances, size=4000)
    ends = [intervals.f1_score(*map(int, counts[:3])) for counts in drawn]
    covered = sum(low <= truth <= high for low, high in filter(None, ends))
    assert 0.94 < covered / len(drawn) < 0.96


def test_of_nothing_figures_are_zero_and_have_no_interval() -> None:
    figures = sure([("neg", "neg"), ("pos", "neg")])
    pos = figures.labels[1]
    assert (pos.precision.value, pos.recall.value, pos.f1_score.value) == (0.0, 0.0, 0.0)
    assert pos.precision.interval is None
    assert pos.recall.interval is not None
    assert card.intervals(figures, 2)[2].split() == ["pos", "none", "0.00", "to", "0.79", "0.00", "to", "0.88"]


def test_the_calibration_error_by_hand() -> None:
    answers = [("pos", "pos", 0.95), ("pos", "pos", 0.97), ("neg", "pos", 0.94), ("neg", "neg", 0.55)]
    # three in the last bin, of which two are right; one right in the bin from 8/15 to 9/15
    expected = (abs(2 - 2.86) + abs(1 - 0.55)) / 4
    assert report.from_cells(counted(answers), 2).ece == pytest.approx(expected)


def test_the_brier_score_is_scikit_learns() -> None:
    chance = random.Random(3)
    predicted = [(chance.choice(["neg", "pos"]), chance.random()) for _ in range(500)]
    answers = [(label, "pos" if p >= 0.5 else "neg", max(p, 1 - p)) for label, p in predicted]
    expected = brier_score_loss([label == "pos" for label, _ in predicted], [p for _, p in predicted])
    assert report.from_cells(counted(answers), 2).brier == pytest.approx(expected)
    assert report.from_cells(counted(answers), 3).brier == pytest.approx(2 * expected), (
        "of more labels it is the whole sum"
    )


@pytest.mark.parametrize("pairs", [Pairs(21, 1, 7), Pairs(161, 6, 16), Pairs(9, 0, 0), Pairs(5, 5, 0), Pairs(9, 4, 4)])
def test_the_paired_test_is_binomial_over_what_one_alone_has_right(pairs: Pairs) -> None:
    result = paired.compare(pairs)
    first, second = pairs.only_first_right, pairs.only_second_right
    assert result.p_value == pytest.approx(min(1.0, 2 * binom.cdf(min(first, second), first + second, 0.5)))
    assert result.difference == (first - second) / pairs.n
    assert -1 <= result.low <= result.difference <= result.high <= 1


@pytest.mark.parametrize(
    ("pairs", "low", "high", "p_value"),
    [
        # Airway hyper-responsiveness before and after (Bentur et al. 2009), and complete response before and after
        # consolidation therapy (Cavo et al. 2012), as R's package contingencytables has them.
        (Pairs(21, 1, 7), -0.5084, -0.0134, 0.0703),
        (Pairs(161, 6, 16), -0.1195, -0.0032, 0.0525),
    ],
)
def test_the_paired_test_of_published_examples(pairs: Pairs, low: float, high: float, p_value: float) -> None:
    result = paired.compare(pairs)
    assert (result.low, result.high) == pytest.approx((low, high), abs=6e-5)
    assert result.p_value == pytest.approx(p_value, abs=6e-5)
