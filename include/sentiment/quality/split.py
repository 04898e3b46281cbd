"""Split a night's records: each is accepted, quarantined or a duplicate, exactly one of these.

Rows are decoded and judged once, into the part `judged`. All three are derived from it: quarantined and duplicate from
its narrow columns, and of its texts only the few rows that are not accepted are removed, by position, so that texts are
never shuffled.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from sentiment import contract
from sentiment.quality.rules import Rule
from sentiment.runs.handoff import JudgedNight
from sentiment.schemas import CONTENT, HASH_COLUMNS, POSITION, QUARANTINED, REVIEW

OF_REFUSED = "author"
"""The one column of content that a refused record keeps."""


def verdicts(judged: DataFrame, rules: tuple[Rule, ...]) -> DataFrame:
    """Return a row of `schemas.JUDGED` for each row of `judged` (`rules.judged`).

    Refused rows have the columns of quarantine, `raw` cut after 64 KiB, and of the content the author alone; in other
    rows the columns of quarantine are null.
    """
    refused = F.size("reasons") > 0
    of_quarantine = {
        "raw": F.substring("raw", 1, contract.RAW_HEAD_BYTES),
        "raw_bytes": F.col("raw_bytes"),
        "raw_sha256": F.coalesce("raw_sha256", F.sha2("raw", 256)),
        "byte_offset": F.col("byte_offset"),
        "reasons": F.col("reasons"),
        "details": F.col("details"),
    }
    of_review = [name for name in (*CONTENT, *(column.name for column in HASH_COLUMNS)) if name != OF_REFUSED]
    return judged.select(
        "source",
        *POSITION,
        "review_id",
        OF_REFUSED,
        *(F.when(~refused, F.col(name)).alias(name) for name in of_review),
        "language",
        refused.alias("refused"),
        *(rule.flag for rule in rules),
        *(F.when(refused, value).alias(name) for name, value in of_quarantine.items()),
    )


def quarantined(verdicts: DataFrame) -> DataFrame:
    """Return the records that failed a rule, each with all its reasons and its first 64 KiB."""
    return verdicts.where("refused").select(*QUARANTINED.names)


def duplicates(verdicts: DataFrame) -> DataFrame:
    """Return the records that repeat a review, each with `duplicate_of`: the position of the first that passed."""
    passed = verdicts.where("NOT refused").select(*POSITION, "review_id", F.struct(*POSITION).alias("position"))
    first = F.min("position").over(Window.partitionBy("review_id"))
    repeated = passed.withColumn("duplicate_of", first).where("position <> duplicate_of")
    return repeated.select(*POSITION, "review_id", "duplicate_of")


def accepted(verdicts: DataFrame, duplicates: DataFrame) -> DataFrame:
    """Return the rows that passed and repeat no other, without those at the positions of `duplicates`: one a review."""
    passed = verdicts.where("NOT refused")
    return passed.join(duplicates.select(*POSITION), list(POSITION), "left_anti").select(*REVIEW)


def summary(verdicts: DataFrame, rules: tuple[Rule, ...]) -> JudgedNight:
    """Count the records that failed each rule, and the texts of each language."""
    # Grouped by language, all counts come from one job.
    failed = (F.count(F.when(~F.col(rule.flag), True)).alias(rule.name) for rule in rules)
    groups = verdicts.groupBy("language").agg(F.count("*").alias("n"), *failed).collect()
    totals = {rule.name: sum(group[rule.name] for group in groups) for rule in rules}
    return JudgedNight(
        rules=[*totals],
        reasons={name: n for name, n in totals.items() if n},
        languages={group["language"]: group["n"] for group in groups if group["language"]},
    )
