"""Accepted, quarantined, duplicate: every record goes to exactly one."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from sentiment import contract

QUARANTINE = ("file_no", "record_no", "reasons", "details", "raw", "raw_bytes", "raw_sha256", "byte_offset")


def quarantined(judged: DataFrame) -> DataFrame:
    """The rows that failed a rule, with every reason and the first 64 KiB of the record as it came."""
    rows = judged.where(F.size("reasons") > 0)
    return rows.select(
        "file_no",
        "record_no",
        "reasons",
        "details",
        F.substring("raw", 1, contract.RAW_KEPT_BYTES).alias("raw"),
        "raw_bytes",
        F.coalesce("raw_sha256", F.sha2("raw", 256)).alias("raw_sha256"),
        "byte_offset",
    )


def told_apart(judged: DataFrame) -> DataFrame:
    """The rows that passed, with `duplicate_of`: the place of the first record that says the same review."""
    first = Window.partitionBy("review_id").orderBy("file_no", "record_no")
    place = F.struct("file_no", "record_no")
    kept = F.first(place).over(first)
    passed = judged.where(F.size("reasons") == 0)
    return passed.withColumn("duplicate_of", F.when(kept != place, kept))


def accepted(told: DataFrame) -> DataFrame:
    """One row a review: the first that said it."""
    return told.where(F.col("duplicate_of").isNull()).select(*contract.REVIEW)


def duplicates(told: DataFrame) -> DataFrame:
    """The records that say a review again, each with the place of the one that was kept."""
    again = told.where(F.col("duplicate_of").isNotNull())
    return again.select("file_no", "record_no", "review_id", "duplicate_of")
