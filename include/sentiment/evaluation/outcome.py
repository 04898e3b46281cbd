"""What an evaluation says, as it travels from the job to whoever asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pydantic import TypeAdapter

from sentiment.evaluation import report
from sentiment.evaluation.labelled_set import LabelSource
from sentiment.evaluation.paired import Pairs
from sentiment.evaluation.report import Cell, Report

DATASET = "evaluated"
"""Of the lake: what the jobs of one evaluation leave to each other, without any text; nothing there is committed."""


def work_key(evaluation_id: str) -> str:
    """Where that lies inside the dataset."""
    return f"evaluation={evaluation_id}"


@dataclass(frozen=True)
class Mistake:
    """A wrong answer, and how sure the model was of it (probability of the predicted label)."""

    file_no: int
    record_no: int
    label: str
    predicted: str
    confidence: float
    text: str
    """Its beginning."""


@dataclass(frozen=True)
class Against:
    """Another evaluation of the same set, and the pairs of answers: the other one's are the first."""

    evaluation_id: str
    pairs: Pairs


@dataclass(frozen=True)
class Evaluation:
    """One model on one set: counts, from which every figure follows, and the worst mistakes."""

    evaluation_id: str
    model_id: str
    fingerprint: str
    labels: tuple[str, ...]
    set_name: str
    set_sha256: str
    label_source: LabelSource
    cells: tuple[Cell, ...]
    left_out: dict[str, int]
    """Reason -> records that are not evaluated."""
    mistakes: tuple[Mistake, ...]
    against: Against | None = None

    @cached_property
    def report(self) -> Report:
        """Its figures."""
        return report.of(self.cells, len(self.labels))

    def to_json(self) -> bytes:
        """For another process."""
        return _ADAPTER.dump_json(self)

    @staticmethod
    def from_json(said: bytes) -> Evaluation:
        """What `to_json` wrote."""
        return _ADAPTER.validate_json(said)


_ADAPTER = TypeAdapter(Evaluation)
