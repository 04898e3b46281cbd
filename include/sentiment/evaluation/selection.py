"""Select the records of a labelled set that can be evaluated, and count why the others are left out."""

from __future__ import annotations

from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sentiment.contract import FORGOTTEN
from sentiment.errors import DataError, quoted
from sentiment.evaluation.labelled_set import LabelledSet, LabelSource, Target
from sentiment.labels import WEAK_NEGATIVE_TO, WEAK_POSITIVE_FROM

UNKNOWN_LABEL = "unknown_label"
REASONS = {
    FORGOTTEN: "a person asked to have removed",
    "unreadable": "can't be read",
    "no_text": "have no text",
    "no_label": "have no label",
    "rating_between": f"have a rating between {WEAK_NEGATIVE_TO:g} and {WEAK_POSITIVE_FROM:g}",
    "no_rating": "have a rating that is none from 0.5 to 5",
    UNKNOWN_LABEL: "have another label than the model",
}
"""Why a record is left out -> the phrase for it, shown behind the number of such records."""
RECORD_KEY = ("file_no", "record_no")
"""Columns that identify a record within its set: file from 0, record from 1."""


def with_gold(rows: DataFrame, target: Target, source: LabelSource) -> DataFrame:
    """Return `RECORD_KEY`, text_hash, text, label_text, gold and excluded of each record.

    `rows` are records as `dump.ingest` maps them, with `prepared_blank`: whether nothing of the text reaches the
    network. `label_text` is the label as the file has it, `gold` the model's label that it means, `excluded` a key of
    `REASONS`; null where there is none.
    """
    label_text = F.col("label_text" if source is LabelSource.polarity else "rating_text")
    gold = _named(label_text, target) if source is LabelSource.polarity else _weak(target)
    needed = ("problem", "prepared_blank", "rating")
    records = rows.select(*RECORD_KEY, "text_hash", "text", *needed, label_text.alias("label_text"), gold)
    return records.withColumn("excluded", _exclusion(source)).drop(*needed)


def _named(label_text: Column, target: Target) -> Column:
    # A label's own name goes first: a model whose labels are "0" and "1" means them, not polarities.
    by_name = [F.when(F.lower(label_text) == label.lower(), F.lit(label)) for label in target.labels]
    return F.coalesce(*by_name, _of_polarity(F.col("polarity") == 0, F.col("polarity") == 1, target)).alias("gold")


def _weak(target: Target) -> Column:
    rating = F.col("rating")
    return _of_polarity(rating <= WEAK_NEGATIVE_TO, rating >= WEAK_POSITIVE_FROM, target).alias("gold")


def _of_polarity(negative: Column, positive: Column, target: Target) -> Column:
    # The cast gives the column a type where the model has neither label and both literals are null.
    return F.when(negative, F.lit(target.negative)).when(positive, F.lit(target.positive)).cast("string")


def _exclusion(source: LabelSource) -> Column:
    # A record has one reason, the first that holds: without a text its label does not matter any more.
    first = (
        F.when(F.col("problem") == FORGOTTEN, FORGOTTEN)
        .when(F.col("problem").isNotNull(), "unreadable")
        .when(F.col("text").isNull() | F.col("prepared_blank"), "no_text")
        .when(F.col("label_text").isNull(), "no_label")
    )
    if source is LabelSource.polarity:
        return first.when(F.col("gold").isNull(), UNKNOWN_LABEL)
    in_range = F.col("rating").between(0.5, 5.0)
    return first.when(~F.coalesce(in_range, F.lit(False)), "no_rating").when(F.col("gold").isNull(), "rating_between")


class Usable(NamedTuple):
    """Counts of a labelled set's records."""

    n: int
    """Records that can be evaluated."""
    excluded: dict[str, int]
    """Reason (a key of `REASONS`) -> other records; reasons without any are absent."""


def count_usable(rows: DataFrame, labelled_set: LabelledSet, target: Target) -> Usable:
    """Return the counts of what `with_gold` returned.

    Raises DataError where no record can be evaluated, or, naming the first record, where a label is none of the
    model's.
    """
    first = F.min(F.struct(*RECORD_KEY, "label_text")).alias("first")
    groups = {row["excluded"]: row for row in rows.groupBy("excluded").agg(F.count("*").alias("n"), first).collect()}
    if UNKNOWN_LABEL in groups:
        raise _unknown_label(groups[UNKNOWN_LABEL]["n"], groups[UNKNOWN_LABEL]["first"], labelled_set, target)
    excluded = {reason: groups[reason]["n"] for reason in REASONS if reason in groups}
    if None not in groups:
        raise DataError(
            f"{labelled_set.uri} has no record to evaluate: {summary(excluded)}; expected a text, and as its label "
            f"{target.expected}.",
            f"sentiment source look {quoted(labelled_set.uri)}",
        )
    return Usable(groups[None]["n"], excluded)


def _unknown_label(n: int, first: tuple[int, int, str], labelled_set: LabelledSet, target: Target) -> DataError:
    file_no, record_no, label_text = first
    record = f"record {record_no}" if len(labelled_set.layouts) == 1 else f"file {file_no}, record {record_no}"
    more = f", the first of {n:,} such records," if n > 1 else ""
    no_polarity = "" if target.has_polarity else " It has neither a negative nor a positive label for 0 and 1."
    return DataError(
        f"{labelled_set.uri}, {record}{more} has the label {label_text[:80]!r}; {target.model_id} predicts "
        f"{target.expected}.{no_polarity}",
        f"mend the label or leave it empty, or: {labelled_set.command} --model … (one of: sentiment model list)",
    )


def summary(excluded: dict[str, int]) -> str:
    """Return the reasons as one phrase, like `12 have no label, 1 can't be read`; `none` where there are none."""
    return ", ".join(f"{n:,} {REASONS[reason]}" for reason, n in excluded.items()) or "none"
