"""A text that a model has scored is not scored again: the score cache in the lake, by fingerprint."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sentiment import ledger
from sentiment.lake import Lake, Part
from sentiment.ledger import Step
from sentiment.scoring.network import SCORED
from sentiment.scoring.registry import Model

DATASET = "score_cache"
CHUNK_TEXTS = 20_000
"""Texts committed at a time: what a killed job can lose."""


def cached(spark: SparkSession, lake: Lake, model: Model) -> DataFrame:
    """Every score this model has committed: `SCORED`, `scored_at`, `scored_in` (the run), one row a text."""
    parts = lake.committed(DATASET, cache_key(model.fingerprint))
    if not parts:
        return spark.createDataFrame([], _schema())
    return lake.read(spark, parts).dropDuplicates(["text_hash"])


def cache_key(fingerprint: str) -> str:
    """The folder of one network's scores inside the dataset."""
    return f"fingerprint={fingerprint}"


def _schema() -> str:
    return (
        "text_hash string, label string, score double, p_positive double, probabilities string, "
        "n_wordpieces int, n_unknown int, n_chunks smallint, scored_at timestamp, scored_in string"
    )


def fill(accepted: DataFrame, lake: Lake, model: Model, step: Step, score: Callable[[DataFrame], DataFrame]) -> None:
    """Score the texts of `accepted` that are not cached, chunk by chunk, each committed as it is done."""
    spark = accepted.sparkSession
    texts = accepted.groupBy("text_hash").agg(F.min("text").alias("text"))
    missing = texts.join(cached(spark, lake, model).select("text_hash"), "text_hash", "left_anti").persist()
    total = missing.count()
    chunks = -(-total // CHUNK_TEXTS)
    done = 0
    for chunk in range(chunks):
        mine = missing.where(F.pmod(F.crc32("text_hash"), F.lit(chunks)) == chunk)
        mine = mine.repartition(spark.sparkContext.defaultParallelism * 4)
        scored = score(mine).select(
            *SCORED, F.current_timestamp().alias("scored_at"), F.lit(step.run_id).alias("scored_in")
        )
        part = lake.write(scored, DATASET, cache_key(model.fingerprint), step.token, 0, "", chunk)
        rows = lake.read(spark, [part]).count()
        step.check_fence()
        lake.commit(DATASET, cache_key(model.fingerprint), step.token, Part(part.files, rows, part.checksum), chunk)
        ledger.phase("chunk scored")
        done += rows
        step.progress(done, total)
    missing.unpersist()
