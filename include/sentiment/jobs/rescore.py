"""rescore: published nights once more, by another model, beside the scores there are."""

from __future__ import annotations

import argparse
import logging
import sys
from datetime import date
from typing import TYPE_CHECKING

from pydantic import JsonValue
from pyspark.sql import functions as F

from sentiment import contract, database, settings
from sentiment.drift import canary, confidence
from sentiment.drift.history import Stream
from sentiment.jobs import score
from sentiment.jobs.entry import add_outcome, ended
from sentiment.orchestration import rescoring
from sentiment.orchestration.rescoring import Night, Request
from sentiment.runs import attempts, opening
from sentiment.runs.handoff import CanaryPrediction, RescoredNight
from sentiment.runs.model import Run
from sentiment.runtime import spark
from sentiment.schemas import REVIEW
from sentiment.scoring import network, registry
from sentiment.scoring.reuse import Score
from sentiment.store import forgetting, loading, publishing
from sentiment.store.loading import Rows
from sentiment.store.publishing import Expected
from sentiment.workspace import Workspace, run_key

if TYPE_CHECKING:
    from collections.abc import Collection

    from pyspark.sql import DataFrame, SparkSession

log = logging.getLogger("sentiment.jobs")


def work(session: SparkSession, request: Request, workspace: Workspace) -> int:
    """Score and publish every night of the range that the model lacks, one by one; return how many nights.

    Reads each night's reviews from Postgres, without those whose version is not stored any more, and the score cache.
    Writes what the jobs score and publish write, under a run of its own for each night. The canary predictions are
    compared before a night is published. A job that was killed goes on with the night it was in, whose texts are
    scored up to the last chunk. Raises ParameterError where the model is not here or is retired, CanaryMovedError,
    and what publishing raises.
    """
    config, pending = settings.load(), rescoring.pending(request)
    if not pending:
        return 0
    model = registry.find(request.model, config)
    pipeline = network.load(session, model, config.models_served)
    canary_predictions = score.canary_predictions(session, pipeline, model)

    def score_texts(texts: DataFrame, rows: int) -> DataFrame:
        return network.score(texts, pipeline, model, rows)

    for number, night in enumerate(pending, 1):
        run = _one_night(session, request, night, workspace, model, score_texts, canary_predictions)
        log.info("night %s, %d of %d: %s", night.night, number, len(pending), _summary(run))
    return len(pending)


def _summary(run: Run) -> str:
    n = run.counts
    return f"{n['scored']:,} scored, {n['reused']:,} reused, {n['published']:,} published by {run.model_id}"


def _one_night(
    session: SparkSession,
    request: Request,
    night: Night,
    workspace: Workspace,
    model: registry.Model,
    score_texts: Score,
    predictions: list[CanaryPrediction],
) -> Run:
    """Take a night's stored reviews through the score cache into the tables, as one attempt of the step `rescore`."""
    run = opening.open_run(night.night, request.source, night.dump_id, model.model_id)
    if run.status == "published":
        return run
    with attempts.attempt(run.run_id, publishing.RESCORE) as attempt:
        attempt.handoff = rescored = RescoredNight(novelty_base_run=publishing.newest_publication(run.source))
        accepted = _accepted(session, run, attempt, rescored, workspace)
        with_sentences = rescoring.has_sentences(night.night, run.source)
        reviews = score.scored(accepted, workspace, model, score_texts, attempt, with_sentences)
        rescored.uncertain_band = band = confidence.band_of(Stream(run.source, run.model_id))
        rescored.scored = score.write(reviews, run, attempt, workspace, band)
        rescored.canary = canary.check(model.model_id, registry.canary_fingerprint(model), run.run_id, predictions)
        publish(run, attempt, rescored, workspace)
    return opening.get_run(run.run_id)


def publish(run: Run, attempt: attempts.Attempt, rescored: RescoredNight, workspace: Workspace) -> None:
    """Publish the parts `scored` and `profile` that the attempt has committed of a night which is published already.

    Raises what publishing raises.
    """
    key = run_key(run.night, run.run_id)
    profiled = workspace.committed("profile", key, attempt.token)
    # What is shown is stored already.
    scored = Rows(workspace.committed("scored", key, attempt.token), loading.SHOWN)
    loading.stage(attempt, workspace, {"profile": Rows(profiled), "review": scored})
    n_profiled = sum(map(workspace.count, profiled))
    expected = Expected(rescored.part(), 0, n_profiled, rescored.novelty_base_run, rescored.uncertain_band)
    publishing.merge(run, attempt, expected)
    opening.set_status(run.run_id, "published", f"Night {run.night} once more, by {run.model_id}.")


def _accepted(
    session: SparkSession, run: Run, attempt: attempts.Attempt, rescored: RescoredNight, workspace: Workspace
) -> DataFrame:
    """Read the night's reviews from the tables into the part `accepted`, as `validate` would have left them."""
    options = database.jdbc_options(database.url("writer"))
    query = session.read.format("jdbc").options(**options).option("query", rescoring.stored_night_query(run))
    # Without a fetch size PostgreSQL's JDBC driver holds all rows of a result in memory.
    rows = query.option("fetchsize", 10_000).load().withColumn("source", F.lit(run.source))
    rows = _without_suppressed(rows, forgetting.suppressed_keys())
    key = run_key(run.night, run.run_id)
    columns = (*REVIEW, "novelty", "is_shown")
    part = workspace.write(rows.select(*columns), "accepted", key, attempt.token, 0, "")
    listed = workspace.read(session, [part])
    stored = listed.where("text IS NOT NULL")
    n_listed, n_stored = listed.count(), stored.count()
    workspace.commit("accepted", key, attempt.token, part)
    attempt.counts = {"read": n_stored, "accepted": n_stored}
    rescored.n_unstored_versions = n_listed - n_stored
    if rescored.n_unstored_versions:
        log.warning(
            "%d reviews of night %s are left out: the versions it held are not kept",
            rescored.n_unstored_versions,
            run.night,
        )
    return stored


def _without_suppressed(rows: DataFrame, suppressed_keys: Collection[str]) -> DataFrame:
    """Leave out reviews, and names of authors, on the suppression list that the tables still hold.

    A removal lists its key first and clears the tables last; a night that is rescored in between must not read it.
    """
    if not suppressed_keys:
        return rows
    suppressed = contract.is_suppressed("review", F.col("review_id"), suppressed_keys)
    author_suppressed = contract.is_suppressed("author", F.col("author"), suppressed_keys)
    return rows.where(~suppressed).withColumn("author", F.when(~author_suppressed, F.col("author")))


def main() -> int:
    """Run the job for its arguments; return the process's exit code."""
    parser = argparse.ArgumentParser(description="score published nights again, by another model")
    parser.add_argument("--model", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--from", dest="first", type=date.fromisoformat, required=True)
    parser.add_argument("--to", dest="last", type=date.fromisoformat, required=True)

    add_outcome(parser)
    arguments = vars(parser.parse_args())
    outcome = arguments.pop("outcome")

    def start() -> JsonValue:
        request = Request(**arguments)
        session = spark.session(f"sentiment rescore {request.model}")
        return {"nights": work(session, request, Workspace(settings.load().lake))}

    return ended(start, outcome)


if __name__ == "__main__":
    sys.exit(main())
