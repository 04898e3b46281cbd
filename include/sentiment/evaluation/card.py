"""Print an evaluation report as text: the card's table to the character that scikit-learn prints, and more figures."""

from __future__ import annotations

from collections.abc import Sequence

from sentiment.evaluation.paired import Comparison, Pairs
from sentiment.evaluation.report import BINS, Average, Figure, Report

COLUMNS = ("precision", "recall", "f1-score", "support")
AVERAGES = ("macro avg", "weighted avg")
CONFIDENCE = "95 % interval"


def table(report: Report, digits: int) -> list[str]:
    """Return the lines of scikit-learn's `classification_report(digits=digits)`, empty lines included."""
    # scikit-learn's own rule for the first column: `digits`, a count, competes with the lengths of the names.
    width = max(len(AVERAGES[-1]), digits, *(len(row.label) for row in report.labels))
    average = dict(zip(AVERAGES, (report.macro, report.weighted), strict=True))
    labels = [
        _row(row.label, Average(row.precision.value, row.recall.value, row.f1_score.value), row.support, width, digits)
        for row in report.labels
    ]
    accuracy = f"{'accuracy':>{width}}  {'':>9} {'':>9} {report.accuracy.value:>9.{digits}f} {report.n:>9}"
    below = [_row(name, figures, report.n, width, digits) for name, figures in average.items()]
    return [f"{'':>{width}}  {' '.join(f'{c:>9}' for c in COLUMNS)}", "", *labels, "", accuracy, *below]


def _row(name: str, figures: Average, support: int, width: int, digits: int) -> str:
    return f"{name:>{width}}  {' '.join(f'{value:>9.{digits}f}' for value in figures)} {support:>9}"


def intervals(report: Report, digits: int) -> list[str]:
    """Return a header and a line for each label and for the accuracy: the 95 % intervals of the table's figures."""
    width = max(len(AVERAGES[-1]), len(CONFIDENCE), *(len(row.label) for row in report.labels))
    figures = [(row.label, (row.precision, row.recall, row.f1_score)) for row in report.labels]
    column = max(9, 2 * digits + 8)
    head = f"{CONFIDENCE:>{width}}  {'  '.join(f'{c:>{column}}' for c in COLUMNS[:3])}"
    lines = [f"{name:>{width}}  {'  '.join(f'{_ends(f, digits):>{column}}' for f in row)}" for name, row in figures]
    accuracy = f"{_ends(report.accuracy, digits):>{3 * column + 4}}"
    return [head, *lines, f"{'accuracy':>{width}}  {accuracy}"]


def _ends(figure: Figure, digits: int) -> str:
    if figure.interval is None:
        return "none"
    low, high = figure.interval
    return f"{low:.{digits}f} to {high:.{digits}f}"


def confusion(report: Report) -> list[str]:
    """Return the lines of the confusion matrix: labels down, predictions across."""
    names = [row.label for row in report.labels]
    corner = "labelled as, predicted as"
    width, column = max(len(corner), *map(len, names)), max(9, *map(len, names))
    rows = [[f"{report.confusion[label, predicted]:>{column}}" for predicted in names] for label in names]
    lines = [f"{label:>{width}}  {' '.join(row)}" for label, row in zip(names, rows, strict=True)]
    return [f"{corner:>{width}}  {' '.join(f'{name:>{column}}' for name in names)}", *lines]


def calibration(report: Report) -> str:
    """Return the calibration error and the Brier score in one line."""
    return (
        f"Calibration: ECE {report.ece:.4f} ({BINS} equal-width bins of the predicted label's probability), "
        f"Brier score {report.brier:.4f}"
    )


def comparison(models: Sequence[str], pairs: Pairs, result: Comparison) -> str:
    """Return a sentence on which of two models is right more often; `models` names both, in the order of `pairs`."""
    first, second = models
    return (
        f"On the same {pairs.n:,} records {first} alone is right in {pairs.only_first_right:,}, {second} alone in "
        f"{pairs.only_second_right:,}: accuracy differs by {result.difference:+.4f} ({CONFIDENCE} {result.low:+.4f} to "
        f"{result.high:+.4f}), p = {result.p_value:.2g} (McNemar, exact)."
    )
