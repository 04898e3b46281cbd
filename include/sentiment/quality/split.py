"""Accepted, quarantined, duplicate: every record goes to exactly one.

Rows are judged once, into a narrow frame that holds the verdict on each and of the refused ones what quarantine
keeps. What is said of records that pass is read from there, and the wide rows are read a second time only to leave
out, by their places, those few that are not accepted.
"""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from sentiment import contract
from sentiment.quality.rules import Rule
from sentiment.schemas import POSITION, QUARANTINED, REVIEW

PLACE = POSITION


def verdicts(judged: DataFrame, rules: tuple[Rule, ...]) -> DataFrame:
    """One narrow row a record: place, identity, language, a flag a rule; of refused ones the first 64 KiB too."""
    refused = F.size("reasons") > 0
    kept = {
        "raw": F.substring("raw", 1, contract.RAW_KEPT_BYTES),
        "raw_bytes": F.col("raw_bytes"),
        "raw_sha256": F.coalesce("raw_sha256", F.sha2("raw", 256)),
        "byte_offset": F.col("byte_offset"),
        "reasons": F.col("reasons"),
        "details": F.col("details"),
    }
    of_refused = (F.when(refused, value).alias(name) for name, value in kept.items())
    flags = (rule.flag for rule in rules)
    return judged.select(*PLACE, "review_id", "language", refused.alias("refused"), *flags, *of_refused)


def quarantined(verdicts: DataFrame) -> DataFrame:
    """The records that failed a rule, with every reason and the first 64 KiB as they came."""
    return verdicts.where("refused").select(*QUARANTINED.names)


def duplicates(verdicts: DataFrame) -> DataFrame:
    """The records that say a review again, each with `duplicate_of`, the place of the first that passed."""
    passed = verdicts.where("NOT refused").select(*PLACE, "review_id", F.struct(*PLACE).alias("place"))
    first = F.min("place").over(Window.partitionBy("review_id"))
    again = passed.withColumn("duplicate_of", first).where("place <> duplicate_of")
    return again.select(*PLACE, "review_id", "duplicate_of")


def accepted(rows: DataFrame, *others: DataFrame) -> DataFrame:
    """One row a review: all rows but those at the places of `others`, the quarantined and the duplicate."""
    for other in others:
        rows = rows.join(other.select(*PLACE), list(PLACE), "left_anti")
    return rows.select(*REVIEW)


def summary(verdicts: DataFrame, rules: tuple[Rule, ...]) -> dict[str, Any]:
    """The rules, how many records failed which, and how many texts there are in each language, by one pass."""
    failed = (F.count(F.when(~F.col(rule.flag), True)).alias(rule.name) for rule in rules)
    groups = verdicts.groupBy("language").agg(F.count("*").alias("n"), *failed).collect()
    totals = {rule.name: sum(group[rule.name] for group in groups) for rule in rules}
    return {
        "rules": [*totals],
        "reasons": {name: n for name, n in totals.items() if n},
        "languages": {group["language"]: group["n"] for group in groups if group["language"]},
    }
