"""Prepare the labelled set of an evaluation before Spark starts, and report its result."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from pydantic import JsonValue, TypeAdapter

from sentiment import settings
from sentiment.database import transaction
from sentiment.errors import ParameterError
from sentiment.evaluation import card, labelled_set, paired
from sentiment.evaluation.labelled_set import DESCRIPTIONS, LabelledSet, LabelSource, Target
from sentiment.evaluation.model import DATASET, Evaluation, Mistake, work_key
from sentiment.evaluation.paired import Comparison, Pairs
from sentiment.evaluation.selection import summary
from sentiment.orchestration import ingesting
from sentiment.runs.model import Reading
from sentiment.scoring import registry
from sentiment.sql import statement
from sentiment.store import quarantine
from sentiment.workspace import Workspace

LABELLED_SET = TypeAdapter(LabelledSet)
SHOWN_CHARS = 100
"""Characters shown of a mistake's text."""


@dataclass(frozen=True)
class Request:
    """A labelled set and the one or two models to evaluate on it; ParameterError where the two are the same."""

    uri: str
    """Where the set lies: a file, folder, glob or object, in any form a dump may have."""
    model: str
    against: str | None = None
    """Another model, evaluated on the same records and compared with the first."""
    labels: LabelSource | None = None
    """The column that labels come from; by default polarity where the set has one, else rating."""
    name: str | None = None
    """What the set is called; by default the last part of `uri`."""
    profile: str | None = None
    encoding: str | None = None
    store: bool = True
    """Whether the result goes to the database."""

    def __post_init__(self) -> None:
        if self.against == self.model:
            raise ParameterError(
                f"--against is {self.against!r}, the model itself; expected another one.", "sentiment model list"
            )

    @property
    def models(self) -> tuple[str, ...]:
        """Return the model, and behind it the one it is compared with, if there is one."""
        return (self.model, self.against) if self.against else (self.model,)


def find_set(request: Request) -> LabelledSet:
    """Receive the set as a night receives its dump, and determine which column its labels come from.

    Raises ParameterError for models that are not here or can't say what ratings mean, DataError for a file that
    can't be read or has no labels, SetupError for a database of another revision.
    """
    from sentiment.dump.receive import receive

    config = settings.load()
    if request.store:
        ingesting.check_schema()
    targets = [target(registry.find(model, config)) for model in request.models]
    reading = Reading(config.source, request.profile, request.encoding)
    dump = receive(request.uri, config, Workspace(config.lake), reading)
    source = labelled_set.label_source(dump.mapped, request.labels, request.uri, dump.columns)
    for model_target in targets:
        labelled_set.check_target(model_target, source, request.uri)
    name = request.name or request.uri.rstrip("/").rpartition("/")[2]
    # Of one file its own hash, which anybody can compare; of several the hash that names them as a dump.
    sha256 = dump.files[0].sha256 if len(dump.files) == 1 else dump.dump_id
    profile = dump.profile.model_dump(mode="json")
    return LabelledSet(request.uri, name, sha256, source, dump.n_records, dump.key, dump.layouts, profile)


def target(model: registry.Model) -> Target:
    """Return what an evaluation needs to know of a model: its labels, and which are the two poles."""
    return Target(model.model_id, model.labels, model.negative_label, model.positive_label)


def set_to_json(labelled: LabelledSet) -> str:
    """Return the set as JSON, for the job's command line."""
    return LABELLED_SET.dump_json(labelled).decode()


def set_from_json(text: str) -> LabelledSet:
    """Return the set that `set_to_json` wrote."""
    return LABELLED_SET.validate_json(text)


def to_result(evaluation: Evaluation) -> JsonValue:
    """Return an evaluation as a job reports it, for `from_result` in another process."""
    result: JsonValue = json.loads(evaluation.to_json())
    return result


def from_result(result: JsonValue) -> Evaluation:
    """Return the evaluation that a job reported."""
    return Evaluation.from_json(json.dumps(result).encode())


def clear(evaluation_ids: Sequence[str]) -> None:
    """Remove the predictions by which the jobs of these evaluations are compared from the run workspace."""
    workspace = Workspace(settings.load().lake)
    for evaluation_id in evaluation_ids:
        workspace.remove(DATASET, work_key(evaluation_id))


def report_lines(evaluation: Evaluation, digits: int = 2) -> list[str]:
    """Return the model card's table, intervals, confusion matrix, calibration and worst mistakes, in lines."""
    report = evaluation.report
    return [
        f"{evaluation.model_id} on {evaluation.set_name}: {report.n:,} records, "
        f"{DESCRIPTIONS[evaluation.label_source]}; left out: {summary(evaluation.excluded)}",
        "",
        *card.table(report, digits),
        "",
        *card.intervals(report, digits),
        "",
        *card.confusion(report),
        "",
        card.calibration(report),
        *_mistakes(evaluation),
    ]


def _mistakes(evaluation: Evaluation) -> list[str]:
    if not evaluation.mistakes:
        return []
    return ["", "The wrong answers it was surest of:", *map(_mistake, evaluation.mistakes)]


def _mistake(mistake: Mistake) -> str:
    """Return a mistake in one line, whatever its text holds."""
    # Control characters of a review must not reach the terminal.
    text = quarantine.shown(" ".join(mistake.text.split()))
    cut = f"{text[:SHOWN_CHARS]}…" if len(text) > SHOWN_CHARS else text
    position = f"record {mistake.record_no}" + (f" of file {mistake.file_no}" if mistake.file_no else "")
    return f"  {mistake.predicted} {mistake.confidence:.4f}, labelled {mistake.label}, {position}: {cut}"


def comparison_sentence(first: Evaluation, second: Evaluation) -> str:
    """Return the paired test of two evaluations in a sentence; the second must have been made against the first."""
    assert second.against is not None
    pairs = second.against.pairs
    return card.comparison((first.model_id, second.model_id), pairs, paired.compare(pairs))


def report(evaluation_ids: Sequence[str]) -> str:
    """Return a sentence for each stored evaluation, and one for the comparison of the two."""
    values = {"ids": list(evaluation_ids)}
    with transaction() as c:
        rows = c.execute(statement("orchestration/evaluating/stored"), values).all()
        comparisons = c.execute(statement("orchestration/evaluating/stored_comparison"), values).all()
    sentences = [
        f"{r.model_id} on {r.set_name}: accuracy {r.accuracy:.4f} ({card.CONFIDENCE} {r.accuracy_low:.4f} to "
        f"{r.accuracy_high:.4f}), macro f1-score {r.macro_f1_score:.4f}, {r.n:,} records."
        for r in rows
    ]
    return " ".join([*sentences, *map(_stored_comparison, comparisons)])


def _stored_comparison(row: sa.Row[Any]) -> str:
    pairs = Pairs(row.n, row.only_first_right, row.only_second_right)
    comparison = Comparison(row.difference, row.difference_low, row.difference_high, row.p_value)
    return card.comparison((row.first, row.second), pairs, comparison)
