"""rescore: published nights once more, by another model, beside the scores there are."""

from __future__ import annotations

import argparse
import logging
import sys
from datetime import date
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sentiment import contract, database, settings
from sentiment.drift import canary
from sentiment.jobs import publish, score
from sentiment.jobs.entry import ended
from sentiment.orchestration import rescoring
from sentiment.orchestration.rescoring import Night, Request
from sentiment.runs import attempts, opening
from sentiment.runs.model import Run
from sentiment.runtime import spark
from sentiment.schemas import REVIEW
from sentiment.scoring import network, registry
from sentiment.store import forgetting, publishing
from sentiment.workspace import Workspace, run_key

if TYPE_CHECKING:
    from collections.abc import Collection

    from pyspark.ml import PipelineModel
    from pyspark.sql import DataFrame, SparkSession

log = logging.getLogger("sentiment.jobs")


def work(session: SparkSession, request: Request, workspace: Workspace) -> int:
    """Score and publish every night that the model lacks, one by one; returns how many.

    What was killed goes on with the night it was in, whose texts are scored up to the last chunk.
    """
    config, pending = settings.load(), rescoring.pending(request)
    if not pending:
        return 0
    model = registry.find(request.model, config)
    pipeline = network.load(session, model, config.models_served)
    said = score.canary_said(session, pipeline, model)
    for number, night in enumerate(pending, 1):
        run = _one_night(session, request, night, workspace, model, pipeline, said)
        log.info("night %s, %d of %d: %s", night.night, number, len(pending), _words(run))
    return len(pending)


def _words(run: Run) -> str:
    n = run.counts
    return f"{n['scored']:,} scored, {n['reused']:,} reused, {n['published']:,} published by {run.model_id}"


def _one_night(
    session: SparkSession,
    request: Request,
    night: Night,
    workspace: Workspace,
    model: registry.Model,
    pipeline: PipelineModel,
    said: list[dict[str, object]],
) -> Run:
    """Its stored reviews through the score cache into the tables, as one start of the step `rescore`."""
    run = opening.open_run(night.night, request.source, night.dump_id, model.model_id)
    if run.status == "published":
        return run
    with attempts.attempt(run.run_id, publishing.RESCORE) as step:
        step.detail["baseline"] = publishing.newest_publication(run.source)
        accepted = _accepted(session, run, step, workspace)
        told = score.scored(
            accepted, workspace, model, pipeline, step, rescoring.has_sentences(night.night, run.source)
        )
        part = score.keep(told, run, step, workspace)
        sung = [canary.Said(**each) for each in said]  # type: ignore[arg-type]
        step.detail["canary"] = canary.check(model.model_id, registry.canary_fingerprint(model), run.run_id, sung)
        staging, key = publish.staged(run, step), run_key(run.night, run.run_id)
        scored = workspace.read(session, workspace.committed("scored", key, step.token))
        for column in ("title", "text", "author"):  # what is shown is stored already
            scored = scored.withColumn(column, F.when(~F.col("is_shown"), F.col(column)))
        publish.fill(staging, "review", scored)
        publish.fill(staging, "profile", workspace.read(session, workspace.committed("profile", key, step.token)))
        publishing.merge(run, step, publishing.Expected(part, 0, step.detail["baseline"]))
    opening.set_status(run.run_id, "published", f"Night {run.night} once more, by {run.model_id}.")
    return opening.get_run(run.run_id)


def _accepted(session: SparkSession, run: Run, step: attempts.Attempt, workspace: Workspace) -> DataFrame:
    """What that night said, from the tables into the lake, as `validate` would have left it."""
    options = database.jdbc_options(database.url("writer"))
    query = session.read.format("jdbc").options(**options).option("query", rescoring.stored_night_query(run))
    rows = query.option("fetchsize", 10_000).load().withColumn("source", F.lit(run.source))
    rows = _without_forgotten(rows, forgetting.tombstones())
    key = run_key(run.night, run.run_id)
    columns = (*REVIEW, "novelty", "is_shown")
    part = workspace.write(rows.select(*columns), "accepted", key, step.token, 0, "")
    there = workspace.read(session, [part])
    kept = there.where("text IS NOT NULL")
    n, n_kept = there.count(), kept.count()
    workspace.commit("accepted", key, step.token, part)
    step.counts = {"read": n_kept, "accepted": n_kept}
    step.detail["versions_not_kept"] = n - n_kept
    if n > n_kept:
        log.warning("%d reviews of night %s are left out: the versions it held are not kept", n - n_kept, run.night)
    return kept


def _without_forgotten(rows: DataFrame, forgotten: Collection[str]) -> DataFrame:
    """What is being removed at this moment, between tombstone and tables, is not read into a night again."""
    if not forgotten:
        return rows
    gone = contract.is_forgotten("review", "review_id", forgotten)
    by_gone = contract.is_forgotten("author", "author", forgotten)
    return rows.where(~gone).withColumn("author", F.when(~by_gone, F.col("author")))


def main() -> int:
    """Run the job for its arguments; returns the process's exit code."""
    parser = argparse.ArgumentParser(description="score published nights again, by another model")
    parser.add_argument("--model", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--from", dest="first", type=date.fromisoformat, required=True)
    parser.add_argument("--to", dest="last", type=date.fromisoformat, required=True)

    def start() -> None:
        request = Request(**vars(parser.parse_args()))
        work(spark.session(f"sentiment rescore {request.model}"), request, Workspace(settings.load().lake))

    return ended(start)


if __name__ == "__main__":
    sys.exit(main())
