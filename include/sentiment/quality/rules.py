"""The rule table. Each rule is one Spark SQL condition; Spark splits rows by it and Great Expectations
judges the batch by the same condition, so the two can't disagree."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sentiment.contract import FORGOTTEN
from sentiment.settings import Settings

VISIBLE = r"r'[^\s\p{Z}\p{Cc}\p{Cf}\x{FFFD}]'"
MARKUP = r"r'<[^>]*>|&[a-z]+;|https?://\S+|www\.\S+'"
"""Spark SQL raw literals: a character that is more than space or control; what is no prose."""


@dataclass(frozen=True)
class Rule:
    """A row passes where `passes` is true; null counts as passing. `message` may name columns in braces."""

    name: str
    column: str
    passes: str
    message: str

    @property
    def flag(self) -> str:
        """Name of the Boolean column that holds the verdict."""
        return f"rule_{self.name}"


def table(config: Settings, night: date) -> tuple[Rule, ...]:
    """Every rule a row must pass on this night."""
    return (
        Rule(
            "readable",
            "raw",
            f"problem IS NULL OR problem = '{FORGOTTEN}'",
            "the record can't be read: {problem} (not_utf8: other encoding; not_jsonl, not_csv: broken record; "
            "too_long: past SENTIMENT_MAX_RECORD_BYTES)",
        ),
        Rule(
            FORGOTTEN,
            "review_id",
            f"problem <> '{FORGOTTEN}'",
            "a person asked to have this review removed",
        ),
        Rule(
            "text_present",
            "text",
            f"problem IS NOT NULL OR (text IS NOT NULL AND text RLIKE {VISIBLE})",
            "the text is missing or blank",
        ),
        Rule(
            "text_not_too_long",
            "text",
            f"length(text) <= {config.max_text_chars}",
            f"the text is longer than {config.max_text_chars} characters",
        ),
        Rule(
            "text_not_markup",
            "text",
            f"NOT text RLIKE {VISIBLE} OR regexp_replace(text, {MARKUP}, '') RLIKE {VISIBLE}",
            "the text is only markup or an address",
        ),
        Rule(
            "no_nul",
            "text",
            "NOT contains(concat_ws('', text, title, author, item_title, item_id), char(0))",
            "a column holds the character U+0000, which Postgres can't store",
        ),
        Rule(
            "rating_in_range",
            "rating",
            "rating_text IS NULL OR coalesce(rating BETWEEN 0.5 AND 5.0, false)",
            "the rating {rating_text} is not a number from 0.5 to 5",
        ),
        Rule(
            "date_readable",
            "review_date",
            "date_text IS NULL OR review_date IS NOT NULL",
            "the date {date_text} is not an ISO date like 2026-11-22",
        ),
        Rule(
            "date_not_future",
            "review_date",
            f"review_date <= date'{night.isoformat()}' + interval 1 day",
            "the date {date_text} lies after the night",
        ),
        Rule(
            "polarity_known",
            "polarity",
            "polarity_text IS NULL OR coalesce(polarity IN (0, 1), false)",
            "the polarity {polarity_text} is neither 0 nor 1",
        ),
    )


def judged(rows: DataFrame, rules: tuple[Rule, ...]) -> DataFrame:
    """Add a Boolean column a rule, `reasons` (names of the rules failed) and `details` (their messages)."""
    rows = rows.select("*", *(F.coalesce(F.expr(r.passes), F.lit(True)).alias(r.flag) for r in rules))
    failed = F.array(*(F.when(~F.col(r.flag), F.lit(r.name)) for r in rules))
    messages = (F.when(~F.col(r.flag), _message(r)) for r in rules)
    return rows.withColumn("reasons", F.array_compact(failed)).withColumn("details", F.concat_ws("\n", *messages))


def _message(rule: Rule) -> Column:
    pieces = rule.message.replace("}", "{").split("{")
    return F.concat(
        F.lit(f"{rule.name}: "),
        *(F.lit(p) if i % 2 == 0 else F.coalesce(F.substring(p, 1, 80), F.lit("")) for i, p in enumerate(pieces)),
    )
