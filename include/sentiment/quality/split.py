"""Split a night's records: each is accepted, quarantined or a duplicate, exactly one of these.

Rows are decoded and judged once, into the part `judged`. All three are derived from it: quarantined and duplicate from
its narrow columns, and of its texts only the few rows that are not accepted are removed, by position, so that texts are
not shuffled; but where equal records get numbers of their own, or one identity is several reviews', the part is written
anew.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from sentiment import contract
from sentiment.contract import NO_TEXT
from sentiment.quality import rules as rule_table
from sentiment.quality.rules import SAME_ID, Rule
from sentiment.runs.handoff import JudgedNight
from sentiment.schemas import CONTENT, DUPLICATE, HASH_COLUMNS, POSITION, QUARANTINED, REVIEW, UNREAD

OF_REFUSED = "author"
"""The one column of content that a refused record keeps."""
OF_REVIEW = [name for name in (*CONTENT, *(column.name for column in HASH_COLUMNS)) if name != OF_REFUSED]
"""Columns that a refused record doesn't keep."""
UNNAMED = f"NOT refused AND coalesce(own_id, {contract.OWN_ITEM}, author, cast(review_date AS string)) IS NULL"
"""Spark SQL: whether an accepted record has neither id nor item, author or date."""
MAX_UNREAD = 10_000
"""Most values of a column that can't be read that are stored of a run."""


def verdicts(judged: DataFrame, rules: tuple[Rule, ...]) -> DataFrame:
    """Return a row of `schemas.JUDGED` for each row of `judged` (`rules.judged`).

    Refused rows have the columns of quarantine, `raw` cut after 64 KiB and empty where there is but no text, and of the
    content the author alone; in other rows the columns of quarantine are null.
    """
    refused = F.size("reasons") > 0
    judged = judged.withColumn("content_hash", contract.content_hash())
    refusing = rule_table.refusing(rules)
    of_rules = [
        rule.flag if rule in refusing else F.when(~refused, F.col(rule.flag)).alias(rule.flag) for rule in rules
    ]
    of_quarantine = {
        **_raw(F.col("raw"), F.array_contains("reasons", NO_TEXT)),
        "reasons": F.col("reasons"),
        "details": F.col("details"),
    }
    return judged.select(
        "source",
        *POSITION,
        "review_id",
        "own_id",
        "equal_key",
        OF_REFUSED,
        *(F.when(~refused, F.col(name)).alias(name) for name in (*OF_REVIEW, "label_text", "unread")),
        "language",
        refused.alias("refused"),
        *of_rules,
        *(F.when(refused, value).alias(name) for name, value in of_quarantine.items()),
    )


def _raw(raw: Column, without_payload: Column) -> dict[str, Column]:
    """Return the columns of `schemas.RAW_COLUMNS` of a record that is refused."""
    head = F.substring(raw, 1, contract.RAW_HEAD_BYTES)
    return {
        "raw": F.when(without_payload, F.lit(b"")).otherwise(head),
        "raw_bytes": F.col("raw_bytes"),
        "raw_sha256": F.coalesce("raw_sha256", F.sha2(raw, 256)),
        "byte_offset": F.col("byte_offset"),
    }


def quarantined(verdicts: DataFrame) -> DataFrame:
    """Return the records that failed a refusing rule, each with all its reasons and its first 64 KiB."""
    return verdicts.where("refused").select(*QUARANTINED.names)


def repeated(verdicts: DataFrame) -> DataFrame:
    """Return the records whose review an earlier one that passed holds, with that one's position (`schemas.DUPLICATE`).

    One `is_equal` is a duplicate; the others share their identity with another review.
    """
    # What can't be read is null in the content, and yet not the same.
    content = contract.hashed(F.col("content_hash"), F.col("own_id"), F.to_json("unread")).alias("content")
    passed = verdicts.where("NOT refused").select(*POSITION, "review_id", content)
    first = F.min(F.struct(*POSITION, "content")).over(Window.partitionBy("review_id"))
    later = passed.withColumn("first", first).where("(file_no, record_no) <> (first.file_no, first.record_no)")
    return later.select(
        *POSITION,
        "review_id",
        F.col("first.file_no").alias("of_file_no"),
        F.col("first.record_no").alias("of_record_no"),
        F.expr("content = first.content").alias("is_equal"),
    ).select(*DUPLICATE.names)


def with_conflicts(verdicts: DataFrame, conflicts: DataFrame, records: DataFrame, rules: tuple[Rule, ...]) -> DataFrame:
    """Refuse the records of `conflicts` (`repeated`, not equal) by the rule `SAME_ID`; return all as `verdicts` does.

    `records` are the decoded rows of these records, for their bytes.
    """
    raw = _raw(F.col("raw"), F.lit(False))
    details = F.expr(rule_table.message(SAME_ID))
    refused = (
        records.join(conflicts.select(*POSITION, "of_file_no", "of_record_no"), list(POSITION))
        .select(*POSITION, *(value.alias(name) for name, value in raw.items()), details.alias("details"))
        .withColumnsRenamed({name: f"_{name}" for name in (*raw, "details")})
        .withColumn("is_conflict", F.lit(True))
    )
    joined = verdicts.join(refused, list(POSITION), "left")
    conflict = F.coalesce("is_conflict", F.lit(False))
    refusing = rule_table.refusing(rules)
    emptied = (*OF_REVIEW, "label_text", "unread", *(rule.flag for rule in rules if rule not in refusing))
    values: dict[str, Column] = {name: F.when(~conflict, F.col(name)) for name in emptied}
    values |= {name: F.when(conflict, F.col(f"_{name}")).otherwise(F.col(name)) for name in (*raw, "details")}
    values |= {
        "reasons": F.when(conflict, F.array(F.lit(SAME_ID.name))).otherwise(F.col("reasons")),
        "refused": conflict | F.col("refused"),
        SAME_ID.flag: F.col(SAME_ID.flag) & ~conflict,
    }
    return joined.select(*(values[name].alias(name) if name in values else name for name in verdicts.columns))


def with_own_ids(verdicts: DataFrame, own_ids: DataFrame) -> DataFrame:
    """Return all with the review ids of `own_ids` (`dump.identity.numbered`) at their positions."""
    own = own_ids.select(*POSITION, F.col("review_id").alias("own"))
    joined = verdicts.join(own, list(POSITION), "left").withColumn("review_id", F.coalesce("own", "review_id"))
    return joined.select(*verdicts.columns)


def accepted(verdicts: DataFrame, duplicates: DataFrame) -> DataFrame:
    """Return the rows that passed and repeat no other, without those at the positions of `duplicates`: one a review."""
    passed = verdicts.where("NOT refused")
    return passed.join(duplicates.select(*POSITION), list(POSITION), "left_anti").select(*REVIEW)


def unread(verdicts: DataFrame, most: int | None = None) -> DataFrame:
    """Return a row of `schemas.UNREAD` for each value that can't be read, of each column the first `most`."""
    rows = verdicts.where("size(unread) > 0").select(*POSITION, F.inline("unread"))
    if most is not None:
        number = F.row_number().over(Window.partitionBy("column_name").orderBy(*POSITION))
        rows = rows.withColumn("number", number).where(F.col("number") <= most)
    return rows.select(*UNREAD.names)


def summary(verdicts: DataFrame, rules: tuple[Rule, ...]) -> JudgedNight:
    """Count the records that failed each rule, the values that each optional column has, and the texts by language.

    Of rules that only warn no refused record counts.
    """
    flags: dict[str, list[str]] = {}
    for rule in rule_table.optional(rules):
        flags.setdefault(rule.column, []).append(rule.flag)
    # Grouped by language, all counts come from one job.
    counts = {
        **{f"failed_{rule.name}": F.count(F.when(~F.col(rule.flag), True)) for rule in rules},
        **{f"values_{column}": F.count(F.coalesce(*of_column)) for column, of_column in flags.items()},
        "numbered": F.count("equal_key"),
        "unnamed": F.count(F.when(F.expr(UNNAMED), True)),
    }
    groups = verdicts.groupBy("language").agg(F.count("*").alias("n"), *_named(counts)).collect()
    totals = {name: sum(group[name] for group in groups) for name in counts}
    failed = {rule: n for rule in rules if (n := totals[f"failed_{rule.name}"])}
    return JudgedNight(
        rules=[rule.name for rule in rule_table.refusing(rules)],
        reasons={rule.name: failed[rule] for rule in rule_table.refusing(rules) if rule in failed},
        unread={rule.name: failed[rule] for rule in rule_table.optional(rules) if rule in failed},
        flagged={rule.name: failed[rule] for rule in rule_table.warning(rules) if rule in failed},
        optional_values={column: totals[f"values_{column}"] for column in flags},
        n_numbered=totals["numbered"],
        n_unnamed=totals["unnamed"],
        languages={group["language"]: group["n"] for group in groups if group["language"]},
    )


def _named(columns: dict[str, Column]) -> list[Column]:
    return [column.alias(name) for name, column in columns.items()]
