"""score: every accepted review with its sentiment, the canary, and the night's profile."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sentiment import contract, database, settings
from sentiment.drift import profile
from sentiment.jobs.entry import main
from sentiment.runs import attempts
from sentiment.runs.model import Run
from sentiment.scoring import network, registry, reuse, sentence_rows
from sentiment.store import publishing
from sentiment.workspace import Part, Workspace, run_key

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel
    from pyspark.sql import DataFrame, SparkSession


def work(spark: SparkSession, run: Run, step: attempts.Attempt, workspace: Workspace) -> None:
    config, key = settings.load(), run_key(run.night, run.run_id)
    model = registry.find(run.model_id, config)
    step.detail["baseline"] = publishing.newest_publication(run.source)
    accepted = workspace.read(
        spark, workspace.committed("accepted", key, attempts.finished(run.run_id, "validate").token)
    )
    pipeline = network.load(spark, model, config.models_served)
    step.detail["canary"] = canary_said(spark, pipeline, model)
    asked = attempts.finished(run.run_id, "find_dump").detail.get("sentences", False)
    said = scored(accepted, workspace, model, pipeline, step, asked).join(_known(spark, run), "review_id", "left")
    keep(said.withColumn("novelty", F.expr(NOVELTY)).drop("known_hash"), run, step, workspace)


def scored(
    accepted: DataFrame,
    workspace: Workspace,
    model: registry.Model,
    pipeline: PipelineModel,
    step: attempts.Attempt,
    asked: bool,
) -> DataFrame:
    """Add what the model says of each text, scored now or before; `sentences` is JSON, null unless `asked` for."""
    split = sentence_rows.of_reviews(accepted) if asked else None
    texts = _texts(accepted) if split is None else _texts(accepted).unionByName(_texts(split))
    reuse.fill(texts, workspace, model, step, lambda texts, rows: network.score(texts, pipeline, model, rows))
    scores = reuse.cached(workspace, model, texts)
    told = accepted.join(scores, "text_hash")
    if split is None:
        return told.withColumn("sentences", F.lit(None).cast("string"))
    return told.join(sentence_rows.to_json(split, scores), "review_id", "left")


def keep(whole: DataFrame, run: Run, step: attempts.Attempt, workspace: Workspace) -> Part:
    """Commit scored reviews and their profile to the lake, and count them; returns what publishing must find."""
    key = run_key(run.night, run.run_id)
    # In key order, so that publishing appends to its indexes rather than jumping about in them.
    part = workspace.write(whole.sortWithinPartitions("review_id"), "scored", key, step.token, 0, "")
    rows = workspace.read(whole.sparkSession, [part])
    step.counts |= _counts(rows, run)
    checksum = rows.agg(contract.key_checksum().alias("c")).collect()[0]["c"]
    scored_part = Part(part.files, step.counts["scored"] + step.counts["reused"], checksum)
    profiled = workspace.write(profile.count(rows.where("novelty <> 'known'")), "profile", key, step.token, 0, "")
    workspace.commit("profile", key, step.token, profiled)
    workspace.commit("scored", key, step.token, scored_part)
    step.detail |= {"scored": asdict(scored_part)}
    return scored_part


NOVELTY = """CASE WHEN known_hash IS NULL THEN 'new' WHEN known_hash = content_hash THEN 'known' ELSE 'changed' END"""


def _texts(rows: DataFrame) -> DataFrame:
    return rows.select("text_hash", "text")


def _known(spark: SparkSession, run: Run) -> DataFrame:
    """What the nights before this one said of each review: `review_id`, `known_hash`."""
    options = database.jdbc_options(database.url("writer"))
    reader = (
        spark.read.format("jdbc").options(**options).option("query", publishing.known_before(run.night, run.source))
    )
    return reader.option("fetchsize", 10_000).load()


def canary_said(spark: SparkSession, pipeline: PipelineModel, model: registry.Model) -> list[dict[str, object]]:
    """What the network says of the canary's sentences now: never from the cache."""
    sentences = [json.loads(line) for line in registry.CANARY.read_text("utf-8").splitlines()]
    texts = spark.createDataFrame(
        [(str(s["sentence_no"]), s["text"]) for s in sentences], "text_hash string, text string"
    )
    said = network.score(texts, pipeline, model).select("text_hash", "label", "score").collect()
    return [{"sentence_no": int(r["text_hash"]), "label": r["label"], "score": r["score"]} for r in said]


def _counts(rows: DataFrame, run: Run) -> dict[str, int]:
    mine = F.count(F.when(F.col("scored_in") == run.run_id, True))
    said = rows.agg(mine.alias("scored"), (F.count("*") - mine).alias("reused")).collect()[0]
    return {"scored": said["scored"], "reused": said["reused"]}


if __name__ == "__main__":
    sys.exit(main("score", work))
