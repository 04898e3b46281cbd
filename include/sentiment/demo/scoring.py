"""The demo's Spark job: all nights judged at once, scored by one model, counted night by night; the model evaluated.

A night of its own takes its jobs tens of seconds, whatever it holds; 120 of them together take one.
"""

from __future__ import annotations

import argparse
import logging
import sys
from datetime import date
from glob import glob
from typing import TYPE_CHECKING

from pydantic import JsonValue
from pyspark.sql import functions as F

from sentiment import settings
from sentiment.demo import story
from sentiment.drift import confidence, profile
from sentiment.drift.history import Stream
from sentiment.dump.identity import Identity
from sentiment.dump.receive import receive
from sentiment.jobs import evaluate, judging, score
from sentiment.jobs.entry import add_outcome, ended
from sentiment.orchestration import evaluating
from sentiment.quality import rules, split
from sentiment.runs.model import Reading
from sentiment.runtime import spark
from sentiment.scoring import network, registry, reuse, sentence_rows
from sentiment.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger("sentiment.jobs")

KEY, TOKEN = "all_nights", 1
"""Key and token of the parts that all nights are in; `file_no` is the night's number."""
PROFILE = "profile_by_night"
"""Folder of the workspace with the profile of each night, by `file_no`."""


def judge(session: SparkSession, dumps: str, source: str, last: date, workspace: Workspace) -> None:
    """Receive and judge the dumps of all nights, and commit the parts that validate has of a night."""
    config = settings.load()
    dump = receive(dumps, config, workspace, Reading(source))
    parts = judging.Parts(workspace, KEY, TOKEN)
    received = workspace.read(session, workspace.committed("received", dump.key))
    identity = Identity(dump.profile.identity_rule(dump.mapped), last)
    fields = dump.profile.model_dump(mode="json")
    night = judging.Night(source, dump.layouts, fields, identity, rules.table(config, last), config)
    judging.judge_records(session, parts, received, night)
    parts.write("unread", split.unread(parts.read(session, "judged")))
    parts.commit()
    log.info("judged %s records: %s accepted", f"{parts.rows('judged'):,}", f"{parts.rows('accepted'):,}")


def score_nights(session: SparkSession, model: registry.Model, source: str, workspace: Workspace) -> list[JsonValue]:
    """Score the accepted reviews of all nights and count each night; return the canary predictions."""
    config = settings.load()
    pipeline = network.load(session, model, config.models_served)
    accepted = workspace.read(session, workspace.committed("accepted", KEY, TOKEN))
    split = sentence_rows.of_reviews(accepted.where(F.col("file_no") >= story.N_NIGHTS - story.SENTENCE_NIGHTS))
    texts = reuse.distinct_texts(accepted.select("text_hash", "text").unionByName(split.select("text_hash", "text")))
    texts = texts.select("text_hash", "text").persist()
    n_texts = texts.count()
    scores = network.score(texts, pipeline, model, n_texts).select(*network.SCORED)
    scores = scores.withColumns({"scored_at": F.current_timestamp(), "scored_in": F.lit(KEY)})
    scores = workspace.read(session, [workspace.write(scores, reuse.DATASET, KEY, TOKEN, 0, "")])
    log.info("scored %s texts", f"{n_texts:,}")
    reviews = accepted.join(scores, "text_hash").join(sentence_rows.to_json(split, scores), "review_id", "left")
    reviews = reviews.withColumn("novelty", F.lit("new"))
    part = workspace.write(reviews, "scored", KEY, TOKEN, 0, "")
    workspace.commit("scored", KEY, TOKEN, part)
    band = confidence.band_of(Stream(source, model.model_id))
    counted = profile.count(workspace.read(session, [part]), band, ("file_no",))
    counted.write.parquet(workspace.address(PROFILE))
    return [p.model_dump() for p in score.canary_predictions(session, pipeline, model)]


def evaluate_on(session: SparkSession, model: registry.Model, dump: str) -> None:
    """Evaluate the model on a night's dump by the labels that the made-up reviews have, and store the result."""
    labelled = evaluating.find_set(evaluating.Request(dump, model.model_id))
    request = evaluate.EvaluationRequest(labelled, model.model_id, mistakes=0)
    done = evaluate.work(session, request, Workspace(settings.load().lake))
    evaluating.clear([done.evaluation_id])


def main() -> int:
    """Run the job for its arguments; return the process's exit code."""
    parser = argparse.ArgumentParser(description="judge and score the demo's nights")
    parser.add_argument("--workspace", required=True, help="folder for the parts of all nights")
    parser.add_argument("--model", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--dumps", required=True, help="glob of the dumps")
    parser.add_argument("--last-night", type=date.fromisoformat, required=True, help="date of the last dump")
    add_outcome(parser)
    arguments = parser.parse_args()

    def start() -> JsonValue:
        workspace = Workspace(arguments.workspace)
        session = spark.session("sentiment demo")
        judge(session, arguments.dumps, arguments.source, arguments.last_night, workspace)
        model = registry.find(arguments.model, settings.load())
        predictions = score_nights(session, model, arguments.source, workspace)
        evaluate_on(session, model, min(glob(arguments.dumps)))
        return predictions

    return ended(start, arguments.outcome)


if __name__ == "__main__":
    sys.exit(main())
