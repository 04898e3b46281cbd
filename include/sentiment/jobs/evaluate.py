"""evaluate: one model's answers on a labelled set, counted, and compared with another evaluation of the same set."""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from pydantic import JsonValue
from pyspark.sql import functions as F

from sentiment import settings
from sentiment.dump import labels
from sentiment.dump.profiles import OWN_ID, Profile
from sentiment.errors import InfrastructureError
from sentiment.evaluation import counting, selection, stored
from sentiment.evaluation.labelled_set import LabelledSet
from sentiment.evaluation.model import DATASET, Against, Evaluation, work_key
from sentiment.jobs import judging, validate
from sentiment.jobs.entry import add_outcome, ended
from sentiment.orchestration import evaluating
from sentiment.runs.model import IdentityRule
from sentiment.runtime import spark
from sentiment.scoring import network, preparation, registry, reuse
from sentiment.store import sources
from sentiment.workspace import Part, Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

log = logging.getLogger("sentiment.jobs")


@dataclass(frozen=True)
class EvaluationRequest:
    """One model on a set; `against` is the id of an evaluation of the same set, by another model."""

    labelled_set: LabelledSet
    model: str
    mistakes: int = 10
    against: str | None = None
    store: bool = True


def work(session: SparkSession, request: EvaluationRequest, workspace: Workspace) -> Evaluation:
    """Evaluate one model on a labelled set; the result is stored where the request asks for it.

    Reads the part `received` of the set and the suppressed keys. Each usable text is scored once, never from the
    cache, so that what is measured is the network as it is now. Writes scores and predictions, without texts, into
    the part `evaluated`, uncommitted; whoever submitted the job removes them. Raises DataError for a set without a
    usable record or with a label that is none of the model's, before the network is loaded; InfrastructureError where
    rows were lost.
    """
    model, labelled = registry.find(request.model, settings.load()), request.labelled_set
    target = evaluating.target(model)
    rows = selection.with_gold(_rows(session, labelled, workspace), target, labelled.label_source).persist()
    n, excluded = selection.count_usable(rows, labelled, target)
    log.info("%s: %d records to evaluate, left out: %s", labelled.name, n, selection.summary(excluded))
    usable, evaluation_id = rows.where("excluded IS NULL"), f"{datetime.now(UTC):%Y%m%d}-{uuid4().hex[:8]}"
    predictions = _predictions(usable, model, workspace, evaluation_id)
    cells = counting.cells(predictions)
    if (counted := sum(cell.n for cell in cells)) != n:
        message = f"Rows were lost or doubled: {n:,} to evaluate, {counted:,} evaluated."
        raise InfrastructureError(message, labelled.command)
    mistakes = counting.worst(predictions, usable, request.mistakes)
    against = _against(session, request.against, predictions, workspace) if request.against else None
    done = Evaluation(
        evaluation_id, model.model_id, model.fingerprint, model.labels, labelled.name, labelled.sha256,
        labelled.label_source, cells, excluded, mistakes, against,
    )  # fmt: skip
    rows.unpersist()
    if request.store:
        stored.insert(done)
    return done


def _rows(session: SparkSession, labelled: LabelledSet, workspace: Workspace) -> DataFrame:
    """Return the set's records as a night would read them, with `prepared_blank` as `validate` adds it."""
    source = settings.load().source
    received = workspace.read(session, workspace.committed("received", labelled.received))
    # A removed review is none of a set, by whichever rule its source knows it.
    rule = (sources.rules(source) or [IdentityRule(OWN_ID)])[-1]
    identity = validate.identity_of(source, rule)
    decode = partial(judging.decoded, received, source, labelled.layouts, identity=identity)
    rows = decode(profile=labelled.profile)
    seen = rows.select("label_text").where("label_text IS NOT NULL").distinct().limit(labels.MOST + 1).collect()
    meant = labels.inferred(Profile.model_validate(labelled.profile), {row["label_text"] for row in seen})
    if meant:
        rows = decode(profile=labelled.profile | meant)
    return rows.withColumn("prepared_blank", preparation.leaves_nothing(F.col("text")))


def _predictions(usable: DataFrame, model: registry.Model, workspace: Workspace, evaluation_id: str) -> DataFrame:
    """Return the model's prediction of each record, from a part of the workspace that nobody commits."""
    session, key = usable.sparkSession, work_key(evaluation_id)
    pipeline = network.load(session, model, settings.load().models_served)
    parts: list[Part] = []

    def write_chunk(chunk: DataFrame, rows: int, number: int) -> int:
        scores = network.score(chunk, pipeline, model, rows)
        parts.append(workspace.counted(workspace.write(scores, DATASET, f"{key}/scores", 0, 0, "", number)))
        return parts[-1].rows

    texts = reuse.distinct_texts(usable).persist()
    for pace in reuse.in_chunks(texts, write_chunk):
        log.info("%s: %s", model.model_id, pace.message())
    texts.unpersist()
    predictions = counting.predictions(usable, workspace.read(session, parts))
    return workspace.read(session, [workspace.write(predictions, DATASET, f"{key}/verdicts", 0, 0, "")])


def _against(session: SparkSession, evaluation_id: str, predictions: DataFrame, workspace: Workspace) -> Against:
    """Compare with the uncommitted predictions that another evaluation of the same set wrote."""
    folder = workspace.folder(DATASET, f"{work_key(evaluation_id)}/verdicts", 0)
    first = workspace.read(session, [Part(workspace.list_files(folder), 0, "")])
    return Against(evaluation_id, counting.pairs(first, predictions))


def main() -> int:
    """Run the job for its arguments; return the process's exit code."""
    parser = argparse.ArgumentParser(description="evaluate one model on a labelled set")
    parser.add_argument("--set", required=True, help="the labelled set as JSON, as find_set returns it")
    parser.add_argument("--model", required=True)
    parser.add_argument("--mistakes", type=int, default=10)
    parser.add_argument("--against", help="an evaluation of the same set whose predictions are still in the workspace")
    parser.add_argument("--no-store", dest="store", action="store_false")
    add_outcome(parser)
    arguments = vars(parser.parse_args())
    outcome, labelled_set = arguments.pop("outcome"), arguments.pop("set")

    def start() -> JsonValue:
        request = EvaluationRequest(evaluating.set_from_json(labelled_set), **arguments)
        session = spark.session(f"sentiment evaluate {request.model}", request.labelled_set.n_records)
        return evaluating.to_result(work(session, request, Workspace(settings.load().lake)))

    return ended(start, outcome)


if __name__ == "__main__":
    sys.exit(main())
