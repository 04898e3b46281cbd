"""Split a night's records: each is accepted, quarantined or a duplicate, exactly one of these.

Rows are judged once, into a narrow frame of row verdicts. Quarantined and duplicate are derived from it, and the wide
rows are read a second time only to remove, by position, the few that are not accepted: texts are never shuffled.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from sentiment import contract
from sentiment.quality.rules import Rule
from sentiment.runs.handoff import JudgedNight
from sentiment.schemas import POSITION, QUARANTINED, REVIEW


def verdicts(judged: DataFrame, rules: tuple[Rule, ...]) -> DataFrame:
    """Return one narrow row for each row of `judged`: position, review_id, language, `refused` and the rules' flags.

    Refused rows have the columns of quarantine too, `raw` cut after 64 KiB; in other rows these are null.
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
    of_refused = (F.when(refused, value).alias(name) for name, value in of_quarantine.items())
    flags = (rule.flag for rule in rules)
    return judged.select(*POSITION, "review_id", "language", refused.alias("refused"), *flags, *of_refused)


def quarantined(verdicts: DataFrame) -> DataFrame:
    """Return the records that failed a rule, each with all its reasons and its first 64 KiB."""
    return verdicts.where("refused").select(*QUARANTINED.names)


def duplicates(verdicts: DataFrame) -> DataFrame:
    """Return the records that repeat a review, each with `duplicate_of`: the position of the first that passed."""
    passed = verdicts.where("NOT refused").select(*POSITION, "review_id", F.struct(*POSITION).alias("position"))
    first = F.min("position").over(Window.partitionBy("review_id"))
    repeated = passed.withColumn("duplicate_of", first).where("position <> duplicate_of")
    return repeated.select(*POSITION, "review_id", "duplicate_of")


def accepted(rows: DataFrame, *others: DataFrame) -> DataFrame:
    """Return all rows but those at the positions of `others`, the quarantined and the duplicate: one row a review."""
    for other in others:
        rows = rows.join(other.select(*POSITION), list(POSITION), "left_anti")
    return rows.select(*REVIEW)


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
