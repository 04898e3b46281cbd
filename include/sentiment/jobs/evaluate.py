"""evaluate: one model's answers on a labelled set, counted, and compared with another evaluation of the same set."""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from pydantic import JsonValue
from pyspark.sql import functions as F

from sentiment import settings
from sentiment.dump.ingest import to_rows
from sentiment.dump.profiles import Profile
from sentiment.errors import InfrastructureError
from sentiment.evaluation import counting, selection, stored
from sentiment.evaluation.labelled_set import LabelledSet
from sentiment.evaluation.model import DATASET, Against, Evaluation, work_key
from sentiment.jobs.entry import add_outcome, ended
from sentiment.orchestration import evaluating
from sentiment.runtime import spark
from sentiment.scoring import network, preparation, registry, reuse
from sentiment.store import forgetting
from sentiment.workspace import Part, Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

log = logging.getLogger("sentiment.jobs")


@dataclass(frozen=True)
class Asked:
    """One model on a set; `against` is the id of an evaluation of the same set, by another model."""

    labelled_set: LabelledSet
    model: str
    mistakes: int = 10
    against: str | None = None
    store: bool = True


def work(session: SparkSession, asked: Asked, workspace: Workspace) -> Evaluation:
    """Sift the set, score its texts, each once and never from the cache, and count; the result is stored if asked.

    Raises DataError for a set that can't be evaluated, before the network is loaded.
    """
    model, of = registry.find(asked.model, settings.load()), asked.labelled_set
    rows = selection.with_gold(_rows(session, of, workspace), evaluating.target(model), of.label_source).persist()
    n, left_out = selection.count_usable(rows, of, evaluating.target(model))
    log.info("%s: %d records to evaluate, left out: %s", of.name, n, selection.summary(left_out))
    usable, evaluation_id = rows.where("left_out IS NULL"), f"{datetime.now(UTC):%Y%m%d}-{uuid4().hex[:8]}"
    told = _verdicts(usable, model, workspace, evaluation_id)
    cells = counting.cells(told)
    if (counted := sum(cell.n for cell in cells)) != n:
        raise InfrastructureError(f"Rows were lost or doubled: {n:,} to evaluate, {counted:,} evaluated.", of.command)
    done = Evaluation(
        evaluation_id, model.model_id, model.fingerprint, model.labels, of.name, of.sha256, of.label_source,
        cells, left_out, counting.worst(told, usable, asked.mistakes), _against(session, asked, told, workspace),
    )  # fmt: skip
    rows.unpersist()
    if asked.store:
        stored.insert(done)
    return done


def _rows(session: SparkSession, of: LabelledSet, workspace: Workspace) -> DataFrame:
    """The set's records as a night would read them, with what `selection` asks of the network's side."""
    records = workspace.read(session, workspace.committed("received", of.received))
    profile = Profile.model_validate(of.profile)
    rows = to_rows(records, settings.load().source, of.layouts, profile, forgetting.tombstones())
    return rows.withColumn("prepared_blank", preparation.leaves_nothing(F.col("text")))


def _verdicts(usable: DataFrame, model: registry.Model, workspace: Workspace, evaluation_id: str) -> DataFrame:
    """What the model said of each record, from a part of the lake that nobody commits."""
    session, key = usable.sparkSession, work_key(evaluation_id)
    pipeline = network.load(session, model, settings.load().models_served)
    parts: list[Part] = []

    def keep(chunk: DataFrame, rows: int, number: int) -> int:
        said = network.score(chunk, pipeline, model, rows)
        parts.append(workspace.write(said, DATASET, f"{key}/scores", 0, 0, "", number))
        return workspace.read(session, parts[-1:]).count()

    texts = reuse.distinct_texts(usable).persist()
    for pace in reuse.in_chunks(texts, keep):
        log.info("%s: %s", model.model_id, pace.message())
    texts.unpersist()
    told = counting.predictions(usable, workspace.read(session, parts))
    return workspace.read(session, [workspace.write(told, DATASET, f"{key}/verdicts", 0, 0, "")])


def _against(session: SparkSession, asked: Asked, told: DataFrame, workspace: Workspace) -> Against | None:
    if asked.against is None:
        return None
    folder = workspace.folder(DATASET, f"{work_key(asked.against)}/verdicts", 0)
    first = workspace.read(session, [Part(workspace.list_files(folder), 0, "")])
    return Against(asked.against, counting.pairs(first, told))


def main() -> int:
    """Run the job for its arguments; returns the process's exit code."""
    parser = argparse.ArgumentParser(description="evaluate one model on a labelled set")
    parser.add_argument("--set", required=True, help="what find_set found, as JSON")
    parser.add_argument("--model", required=True)
    parser.add_argument("--mistakes", type=int, default=10)
    parser.add_argument("--against", help="an evaluation of the same set whose verdicts are still in the lake")
    parser.add_argument("--no-store", dest="store", action="store_false")
    add_outcome(parser)
    arguments = vars(parser.parse_args())
    outcome, labelled_set = arguments.pop("outcome"), arguments.pop("set")

    def start() -> JsonValue:
        request = Asked(evaluating.set_from_json(labelled_set), **arguments)
        session = spark.session(f"sentiment evaluate {request.model}")
        return evaluating.to_result(work(session, request, Workspace(settings.load().lake)))

    return ended(start, outcome)


if __name__ == "__main__":
    sys.exit(main())
