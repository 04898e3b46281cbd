"""Compute the figures of a model card from counts, with 95 % intervals and calibration."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sentiment.evaluation import intervals
from sentiment.evaluation.intervals import Interval

BINS = 15
"""Equal-width bins of the predicted label's probability; a bin holds its upper end (Guo et al. 2017)."""


class Cell(NamedTuple):
    """Number of records with one label, one prediction and one confidence bin, and sums over these records."""

    label: str
    """The label that the set has."""
    predicted: str
    """The label that the model predicts."""
    confidence_bin: int
    """0 to `BINS` - 1."""
    n: int
    sum_confidence: float
    """Sum of the predicted label's probabilities."""
    sum_squared_error: float
    """Sum of each record's sum over labels of (probability - 1 where it is the record's label)^2."""


class Figure(NamedTuple):
    """A proportion with its 95 % interval."""

    value: float
    """0 where there are no records to divide by, as scikit-learn has it."""
    interval: Interval | None
    """None where there are no records to divide by."""


@dataclass(frozen=True)
class LabelFigures:
    """The row of one label on the card."""

    label: str
    precision: Figure
    recall: Figure
    f1_score: Figure
    support: int
    """Records that have the label."""


class Average(NamedTuple):
    """A row of the card that averages the labels' figures."""

    precision: float
    recall: float
    f1_score: float


@dataclass(frozen=True)
class Report:
    """The figures of one model on one labelled set."""

    labels: tuple[LabelFigures, ...]
    """In the order of the labels' characters."""
    accuracy: Figure
    macro: Average
    """Mean over labels, each counted once."""
    weighted: Average
    """Mean over labels, weighted by support."""
    confusion: dict[tuple[str, str], int]
    """(label, predicted) -> records, 0 included, for every pair of `labels`."""
    n: int
    """Records evaluated."""
    ece: float
    """Expected calibration error, 0 to 1: see `calibration_error`."""
    brier: float
    """See `brier_score`."""


def from_cells(cells: Collection[Cell], n_labels: int) -> Report:
    """Return the report of all records in `cells`, at least one; `n_labels` is how many labels the model has.

    The report's labels are those that occur in the set or are predicted, in the order of their characters, as in
    scikit-learn's `classification_report`.
    """
    confusion = _confusion(cells)
    names = sorted({name for pair in confusion for name in pair})
    rows = tuple(_label_figures(name, names, confusion) for name in names)
    n, right = sum(confusion.values()), sum(confusion[name, name] for name in names)
    supports = [row.support for row in rows]
    return Report(
        rows,
        Figure(right / n, intervals.wilson(right, n)),
        _average(rows, None),
        _average(rows, supports),
        confusion,
        n,
        calibration_error(cells),
        brier_score(cells, n_labels),
    )


def _confusion(cells: Collection[Cell]) -> dict[tuple[str, str], int]:
    counted: Counter[tuple[str, str]] = Counter()
    for cell in cells:
        counted[cell.label, cell.predicted] += cell.n
    names = sorted({name for pair in counted for name in pair})
    return {(label, predicted): counted[label, predicted] for label in names for predicted in names}


def _label_figures(name: str, names: Sequence[str], confusion: dict[tuple[str, str], int]) -> LabelFigures:
    right = confusion[name, name]
    support = sum(confusion[name, other] for other in names)
    predicted = sum(confusion[other, name] for other in names)
    # Equal to the harmonic mean of precision and recall, and defined where one of the two is not.
    f1 = 2 * right / (support + predicted) if support + predicted else 0.0
    return LabelFigures(
        name,
        Figure(right / predicted if predicted else 0.0, intervals.wilson(right, predicted)),
        Figure(right / support if support else 0.0, intervals.wilson(right, support)),
        Figure(f1, intervals.f1_score(right, predicted - right, support - right)),
        support,
    )


def _average(rows: Sequence[LabelFigures], weights: Sequence[int] | None) -> Average:
    # By numpy, as scikit-learn does it: other ways to sum round differently in the last printed digit.
    columns = ([getattr(row, name).value for row in rows] for name in Average._fields)
    return Average(*(float(np.average(column, weights=weights)) for column in columns))


def calibration_error(cells: Collection[Cell]) -> float:
    """Return the ECE, 0 to 1, of at least one record (Naeini et al. 2015).

    It is the mean over records of |accuracy - mean confidence| of their bin.
    """
    # Gaps keep their signs within a bin: over- and underconfidence of the same bin cancel, by definition.
    gaps: defaultdict[int, float] = defaultdict(float)
    for cell in cells:
        gaps[cell.confidence_bin] += cell.sum_confidence - cell.n * (cell.label == cell.predicted)
    return sum(map(abs, gaps.values())) / sum(cell.n for cell in cells)


def brier_score(cells: Collection[Cell], n_labels: int) -> float:
    """Return the mean over records of the squared error of the probabilities, summed over labels (Brier 1950).

    For a model of two labels half of that, which is the positive label's part alone, as in scikit-learn's
    `brier_score_loss`.
    """
    total = sum(cell.sum_squared_error for cell in cells) / sum(cell.n for cell in cells)
    return total / 2 if n_labels == 2 else total
