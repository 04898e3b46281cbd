"""Evaluations around their jobs: the set, checked before any Spark starts; results that jobs leave; what is said."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from sentiment import settings
from sentiment.database import transaction
from sentiment.errors import ParameterError, SentimentError, from_record
from sentiment.evaluation import card, labelled_set, paired
from sentiment.evaluation.labelled_set import DESCRIPTIONS, LabelledSet, LabelSource, Target
from sentiment.evaluation.model import DATASET, Evaluation, Mistake, work_key
from sentiment.evaluation.paired import Comparison, Pairs
from sentiment.evaluation.selection import summary
from sentiment.orchestration import steps
from sentiment.scoring import registry
from sentiment.store import quarantine
from sentiment.workspace import Workspace

SHOWN_CHARS = 100
"""Of a mistake's text, once it is on one line."""


@dataclass(frozen=True)
class Request:
    """A set and the one or two models to evaluate on it; raises ParameterError where the two are the same.

    `labels` is the column they come from, by default polarity where there is one, else rating.
    """

    uri: str
    model: str
    against: str | None = None
    labels: LabelSource | None = None
    name: str | None = None
    profile: str | None = None
    encoding: str | None = None
    store: bool = True

    def __post_init__(self) -> None:
        if self.against == self.model:
            raise ParameterError(
                f"--against is {self.against!r}, the model itself; expected another one.", "sentiment model list"
            )

    @property
    def models(self) -> tuple[str, ...]:
        """The model, and the one it is compared with."""
        return (self.model, self.against) if self.against else (self.model,)


def find_set(request: Request) -> LabelledSet:
    """Take the file in as a night would, into the lake's `received`, and see where its labels come from.

    Raises ParameterError for models that are not here or can't say what ratings mean, DataError for a file that
    can't be read or has no labels, SetupError for a database of another revision.
    """
    from sentiment.dump.receive import Reading, receive

    config = settings.load()
    if request.store:
        steps.check_schema()
    targets = [target(registry.find(model, config)) for model in request.models]
    reading = Reading(config.source, request.profile, request.encoding)
    dump = receive(request.uri, config, Workspace(config.lake), reading)
    source = labelled_set.label_source(dump.mapped, request.labels, request.uri, dump.columns)
    for each in targets:
        labelled_set.check_target(each, source, request.uri)
    name = request.name or request.uri.rstrip("/").rpartition("/")[2]
    sha256 = dump.files[0].sha256 if len(dump.files) == 1 else dump.dump_id
    detail = dump.detail()
    return LabelledSet(request.uri, name, sha256, source, dump.key, detail["layouts"], detail["profile"])


def target(model: registry.Model) -> Target:
    """What the model can say."""
    return Target(model.model_id, model.labels, model.negative_label, model.positive_label)


def set_to_json(found: LabelledSet) -> str:
    """For the job's command line."""
    return json.dumps(asdict(found))


def set_from_json(said: str) -> LabelledSet:
    """What `set_to_json` wrote."""
    values = json.loads(said)
    return LabelledSet(**{**values, "label_source": LabelSource(values["label_source"])})


def leave(outcome: Evaluation | SentimentError, path: Path | None) -> None:
    """Write a job's result, or its error, as one line of JSON: into the file, or to standard output."""
    if isinstance(outcome, SentimentError):
        told = {"kind": type(outcome).__name__, "message": outcome.message, "try_next": outcome.try_next}
        line = json.dumps({"error": told})
    else:
        line = json.dumps({"evaluation": json.loads(outcome.to_json())})
    if path:
        path.write_text(line, "utf-8")
    else:
        sys.stdout.write(f"{line}\n")


def failure(path: Path) -> tuple[str, str, str] | None:
    """Class, message and next command of the error that a job left, if it left one."""
    error = _left(path).get("error")
    return (error["kind"], error["message"], error["try_next"]) if error else None


def result(path: Path) -> Evaluation:
    """What a job left that has ended well."""
    return Evaluation.from_json(json.dumps(_left(path)["evaluation"]).encode())


def _left(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found


def raise_failure(path: Path, otherwise: SentimentError) -> None:
    """Raise the error that a job left; where it left none, the other one."""
    told = failure(path)
    raise from_record(*told) if told else otherwise


def clear(evaluation_ids: Sequence[str]) -> None:
    """Remove what the jobs of these evaluations left to each other in the lake."""
    workspace = Workspace(settings.load().lake)
    for evaluation_id in evaluation_ids:
        workspace.remove(DATASET, work_key(evaluation_id))


def told(evaluation: Evaluation, digits: int = 2) -> list[str]:
    """All that an evaluation says, in lines."""
    report = evaluation.report
    return [
        f"{evaluation.model_id} on {evaluation.set_name}: {report.n:,} records, "
        f"{DESCRIPTIONS[evaluation.label_source]}; left out: {summary(evaluation.left_out)}",
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
    """One line, whatever the text holds."""
    text = quarantine.shown(" ".join(mistake.text.split()))
    cut = f"{text[:SHOWN_CHARS]}…" if len(text) > SHOWN_CHARS else text
    place = f"record {mistake.record_no}" + (f" of file {mistake.file_no}" if mistake.file_no else "")
    return f"  {mistake.predicted} {mistake.confidence:.4f}, labelled {mistake.label}, {place}: {cut}"


def compared(first: Evaluation, second: Evaluation) -> str:
    """The paired test of two evaluations, in a sentence; the second one is against the first."""
    assert second.against is not None
    pairs = second.against.pairs
    return card.comparison((first.model_id, second.model_id), pairs, paired.compare(pairs))


STORED = """
SELECT model_id, set_name, n, accuracy, accuracy_low, accuracy_high, macro_f1_score FROM sentiment.evaluation
WHERE evaluation_id = ANY(:ids) ORDER BY array_position(:ids, evaluation_id)"""
STORED_COMPARISON = """
SELECT f.model_id AS first, s.model_id AS second, c.* FROM sentiment.evaluation_comparison c
JOIN sentiment.evaluation f ON f.evaluation_id = c.first_id JOIN sentiment.evaluation s ON s.evaluation_id = c.second_id
WHERE c.first_id = ANY(:ids) AND c.second_id = ANY(:ids)"""


def report(evaluation_ids: Sequence[str]) -> str:
    """Stored evaluations in a sentence each, and the comparison of the two."""
    with transaction() as c:
        rows = c.execute(sa.text(STORED), {"ids": list(evaluation_ids)}).all()
        compared = c.execute(sa.text(STORED_COMPARISON), {"ids": list(evaluation_ids)}).all()
    sentences = [
        f"{r.model_id} on {r.set_name}: accuracy {r.accuracy:.4f} ({card.CONFIDENCE} {r.accuracy_low:.4f} to "
        f"{r.accuracy_high:.4f}), macro f1-score {r.macro_f1_score:.4f}, {r.n:,} records."
        for r in rows
    ]
    return " ".join([*sentences, *map(_stored_comparison, compared)])


def _stored_comparison(row: sa.Row[Any]) -> str:
    pairs = Pairs(row.n, row.only_first_right, row.only_second_right)
    found = Comparison(row.difference, row.difference_low, row.difference_high, row.p_value)
    return card.comparison((row.first, row.second), pairs, found)
