"""The card's figures from counts: what a label's precision, recall, f1-score and support are, and how sure they are."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sentiment.evaluation import intervals
from sentiment.evaluation.intervals import Interval

BINS = 15
"""Equal-width bins of the predicted label's probability, each with its upper end in it (Guo et al. 2017)."""


class Cell(NamedTuple):
    """Records with one label, one prediction and one confidence bin, and sums over them."""

    label: str
    predicted: str
    confidence_bin: int
    """0 to `BINS` - 1."""
    n: int
    sum_confidence: float
    """Of the predicted label's probabilities."""
    sum_squared_error: float
    """Of the sums over labels of (probability - 1 where it is the label)^2."""


class Figure(NamedTuple):
    """A proportion with its 95 % interval; None of nothing, where the figure is 0 as scikit-learn has it."""

    value: float
    interval: Interval | None


@dataclass(frozen=True)
class LabelFigures:
    """A label's row of the card."""

    label: str
    precision: Figure
    recall: Figure
    f1_score: Figure
    support: int


class Average(NamedTuple):
    """A row of the card that averages over labels."""

    precision: float
    recall: float
    f1_score: float


@dataclass(frozen=True)
class Report:
    """All that the card says of a model on a set, and more."""

    labels: tuple[LabelFigures, ...]
    accuracy: Figure
    macro: Average
    weighted: Average
    confusion: dict[tuple[str, str], int]
    """(label, predicted) -> records, every pair of the labels there are."""
    n: int
    ece: float
    brier: float


def of(cells: Collection[Cell], n_labels: int) -> Report:
    """The report of all records; `n_labels` is how many the model has. At least one record is needed.

    Labels are those that are said or predicted, in the order of their characters, as scikit-learn's
    `classification_report` takes them.
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
    f1 = 2 * right / (support + predicted) if support + predicted else 0.0
    return LabelFigures(
        name,
        Figure(right / predicted if predicted else 0.0, intervals.wilson(right, predicted)),
        Figure(right / support if support else 0.0, intervals.wilson(right, support)),
        Figure(f1, intervals.f1_score(right, predicted - right, support - right)),
        support,
    )


def _average(rows: Sequence[LabelFigures], weights: Sequence[int] | None) -> Average:
    """By numpy, as scikit-learn does it, so that sums round alike."""
    columns = ([getattr(row, name).value for row in rows] for name in Average._fields)
    return Average(*(float(np.average(column, weights=weights)) for column in columns))


def calibration_error(cells: Collection[Cell]) -> float:
    """ECE (Naeini et al. 2015): mean over records of |accuracy - mean confidence| of their bin."""
    gaps: defaultdict[int, float] = defaultdict(float)
    for cell in cells:
        gaps[cell.confidence_bin] += cell.sum_confidence - cell.n * (cell.label == cell.predicted)
    return sum(map(abs, gaps.values())) / sum(cell.n for cell in cells)


def brier_score(cells: Collection[Cell], n_labels: int) -> float:
    """Mean squared error of the probabilities (Brier 1950), summed over labels; of two labels half of it, which is
    the positive label's alone: as scikit-learn's `brier_score_loss` has it."""
    total = sum(cell.sum_squared_error for cell in cells) / sum(cell.n for cell in cells)
    return total / 2 if n_labels == 2 else total
