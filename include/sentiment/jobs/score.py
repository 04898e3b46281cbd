"""score: every accepted review with its sentiment, the canary predictions, and the night's profile."""

from __future__ import annotations

import json
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pyarrow.compute as pc
from pyspark.sql import functions as F

from sentiment import database, settings
from sentiment.drift import confidence, profile
from sentiment.drift.history import Stream
from sentiment.errors import DumpRefusedError
from sentiment.jobs.entry import main
from sentiment.labels import Band
from sentiment.quality import new_ids
from sentiment.runs import attempts
from sentiment.runs.handoff import CanaryPrediction, ScoredNight
from sentiment.runs.model import Run
from sentiment.scoring import network, registry, reuse, sentence_rows
from sentiment.store import publishing, refused
from sentiment.workspace import Part, Workspace, run_key

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel
    from pyspark.sql import DataFrame, SparkSession

NOVELTY = """CASE WHEN known_hash IS NULL THEN 'new' WHEN known_hash = content_hash THEN 'known'
  WHEN known_text_hash = text_hash THEN 'read_anew' ELSE 'changed' END"""


def work(spark: SparkSession, run: Run, attempt: attempts.Attempt, workspace: Workspace) -> None:
    """Score the accepted reviews, and their sentences where the night asks for them, and count the profile.

    Reads the part `accepted`, the model's score cache, and from Postgres which content the nights before had. Writes
    the score cache chunk by chunk, then the parts `scored` and `profile`. Counts `scored` and `reused`, in reviews:
    texts that this run scored, and those that were in the cache. Hands on a ScoredNight. Raises InfrastructureError
    where Spark or the network fails, ParameterError where the model is not here.
    """
    config, key = settings.load(), run_key(run.night, run.run_id)
    model = registry.find(run.model_id, config)
    # Before novelty is decided: a night that is published in between must be noticed when this one is.
    attempt.handoff = night = ScoredNight(novelty_base_run=publishing.newest_publication(run.source))
    validated = attempts.finished(run.run_id, "validate").token
    accepted = workspace.read(spark, workspace.committed("accepted", key, validated))
    dump = attempts.received_dump(run.run_id)
    with ThreadPoolExecutor(1, "network") as threads:
        # Loading takes seconds of one core, in which Spark finds out which texts are to be scored.
        loading = threads.submit(network.load, spark, model, config.models_served)
        predicting = threads.submit(lambda: canary_predictions(spark, loading.result(), model))

        def score(texts: DataFrame, rows: int) -> DataFrame:
            return network.score(texts, loading.result(), model, rows)

        reviews = scored(accepted, workspace, model, score, attempt, dump.sentences)
        night.canary = predicting.result()
    reviews = reviews.join(_known(spark, run), "review_id", "left")
    reviews = reviews.withColumn("novelty", F.expr(NOVELTY)).drop("known_hash", "known_text_hash")
    night.uncertain_band = band = confidence.band_of(Stream(run.source, run.model_id))
    night.scored = part = write(reviews, run, attempt, workspace, band)
    counted = _novelty(workspace, part)
    night.n_read_anew = counted["read_anew"]
    if new_ids.may_be_new(counted["changed"], counted):
        known = _query(spark, publishing.known_reviews(run.source))
        changed = workspace.read(spark, [part]).where("novelty = 'changed'")
        try:
            new_ids.check(run, changed.join(known, "review_id"), counted)
        except DumpRefusedError:
            refused.keep_judged(attempt, run, workspace)
            raise


def scored(
    accepted: DataFrame,
    workspace: Workspace,
    model: registry.Model,
    score: reuse.Score,
    attempt: attempts.Attempt,
    with_sentences: bool,
) -> DataFrame:
    """Add the scores of each review's text, by `score` or from the cache, and the column `sentences`.

    `sentences` is JSON, a list of sentence_no, begin_char, end_char, label and score; null unless `with_sentences`.
    """
    split = sentence_rows.of_reviews(accepted) if with_sentences else None
    texts = _texts(accepted) if split is None else _texts(accepted).unionByName(_texts(split))
    reuse.fill(texts, workspace, model, attempt, score)
    scores = reuse.cached(workspace, model, texts)
    reviews = accepted.join(scores, "text_hash")
    if split is None:
        return reviews.withColumn("sentences", F.lit(None).cast("string"))
    return reviews.join(sentence_rows.to_json(split, scores), "review_id", "left")


def write(reviews: DataFrame, run: Run, attempt: attempts.Attempt, workspace: Workspace, band: Band) -> Part:
    """Commit scored reviews and their profile, and count them; return the part that publishing must find staged.

    `band` is the band by which the profile counts uncertain reviews.
    """
    key = run_key(run.night, run.run_id)
    # In key order, so that publishing appends to its indexes rather than jumping about in them.
    written = workspace.write(reviews.sortWithinPartitions("review_id"), "scored", key, attempt.token, 0, "")
    part = workspace.counted(written, "review_id")
    attempt.counts |= _counts(workspace, part, run)
    # From the files: the profile would run the frame's joins again.
    fresh = workspace.read(reviews.sparkSession, [part]).where("novelty IN ('new', 'changed')")
    profiled = workspace.write(profile.count(fresh, band), "profile", key, attempt.token, 0, "")
    # The profile first: a night whose `scored` is there is complete.
    workspace.commit("profile", key, attempt.token, workspace.counted(profiled))
    workspace.commit("scored", key, attempt.token, part)
    return part


def _texts(rows: DataFrame) -> DataFrame:
    return rows.select("text_hash", "text")


def _known(spark: SparkSession, run: Run) -> DataFrame:
    """Return what the nights before this one last had of each review (`publishing.known_before`)."""
    return _query(spark, publishing.known_before(run.night, run.source))


def _query(spark: SparkSession, query: str) -> DataFrame:
    options = database.jdbc_options(database.url("writer"))
    reader = spark.read.format("jdbc").options(**options).option("query", query)
    # Without a fetch size PostgreSQL's JDBC driver holds all rows of a result in memory.
    return reader.option("fetchsize", 10_000).load()


def canary_predictions(spark: SparkSession, pipeline: PipelineModel, model: registry.Model) -> list[CanaryPrediction]:
    """Return what the network predicts of the bundled sentences now: from the network, never from the cache."""
    sentences = [json.loads(line) for line in registry.CANARY.read_text("utf-8").splitlines()]
    texts = spark.createDataFrame(
        [(str(s["sentence_no"]), s["text"]) for s in sentences], "text_hash string, text string"
    )
    rows = network.score(texts, pipeline, model).select("text_hash", "label", "score").collect()
    return [CanaryPrediction(sentence_no=int(row["text_hash"]), label=row["label"], score=row["score"]) for row in rows]


def _novelty(workspace: Workspace, part: Part) -> Counter[str]:
    """Count the part's reviews by novelty."""
    counted: Counter[str] = Counter()
    for batch in workspace.batches(part.files, ["novelty"]):
        counted.update({pair["values"].as_py(): pair["counts"].as_py() for pair in batch.column(0).value_counts()})
    return counted


def _counts(workspace: Workspace, part: Part, run: Run) -> dict[str, int]:
    scored_in = (batch.column(0) for batch in workspace.batches(part.files, ["scored_in"]))
    n_scored = sum(pc.sum(pc.equal(runs, run.run_id)).as_py() or 0 for runs in scored_in)
    return {"scored": n_scored, "reused": part.rows - n_scored}


if __name__ == "__main__":
    sys.exit(main("score", work, ahead=network.import_libraries))
