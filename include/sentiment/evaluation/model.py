"""The result of an evaluation, as it travels from the Spark job to the process that requested it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pydantic import TypeAdapter

from sentiment.evaluation import report
from sentiment.evaluation.labelled_set import LabelSource
from sentiment.evaluation.paired import Pairs
from sentiment.evaluation.report import Cell, Report

DATASET = "evaluated"
"""The workspace's data set with scores and predictions that one evaluation's job leaves for the next.

It holds no text, and its parts are never committed: the process that requested the evaluations removes them."""


def work_key(evaluation_id: str) -> str:
    """Return the folder of one evaluation inside `DATASET`."""
    return f"evaluation={evaluation_id}"


@dataclass(frozen=True)
class Mistake:
    """A wrong prediction."""

    file_no: int
    """From 0, in the order of the set's files."""
    record_no: int
    """From 1, within the file."""
    label: str
    predicted: str
    confidence: float
    """Probability of the predicted label."""
    text: str
    """The text's first characters (`counting.SHOWN_CHARS`)."""


@dataclass(frozen=True)
class Against:
    """A comparison with another evaluation of the same set, which is the first of each pair."""

    evaluation_id: str
    """The other evaluation."""
    pairs: Pairs


@dataclass(frozen=True)
class Evaluation:
    """One model on one labelled set: counts, from which every figure follows, and the worst mistakes."""

    evaluation_id: str
    model_id: str
    fingerprint: str
    labels: tuple[str, ...]
    """The model's labels, in the order of its outputs."""
    set_name: str
    set_sha256: str
    label_source: LabelSource
    cells: tuple[Cell, ...]
    excluded: dict[str, int]
    """Reason (a key of `selection.REASONS`) -> records that are not evaluated."""
    mistakes: tuple[Mistake, ...]
    """Highest confidence first."""
    against: Against | None = None

    @cached_property
    def report(self) -> Report:
        """The figures that follow from `cells`."""
        return report.from_cells(self.cells, len(self.labels))

    def to_json(self) -> bytes:
        """Return the evaluation as a JSON object, for another process."""
        return _ADAPTER.dump_json(self)

    @staticmethod
    def from_json(text: bytes) -> Evaluation:
        """Return the evaluation that `to_json` wrote; raise pydantic's ValidationError for anything else."""
        return _ADAPTER.validate_json(text)


# Made once: pydantic builds a validator for every nested dataclass.
_ADAPTER = TypeAdapter(Evaluation)
