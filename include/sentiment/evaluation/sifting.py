"""Which records of a labelled set can be evaluated, with which label, and why the others are left out."""

from __future__ import annotations

from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sentiment.contract import FORGOTTEN
from sentiment.errors import DataError
from sentiment.evaluation.labelled_set import (
    WEAK_NEGATIVE_TO,
    WEAK_POSITIVE_FROM,
    LabelledSet,
    LabelSource,
    Target,
)

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
"""Why a record is left out -> the words for it, behind how many there are."""
PLACE = ("file_no", "record_no")


def labelled(rows: DataFrame, target: Target, source: LabelSource) -> DataFrame:
    """Records as `ingest` maps them, with `prepared_blank`, whether the network would be given nothing.

    Returns `PLACE`, text_hash, text, `said` (the label as the file has it), `gold` (the model's label) and
    `left_out`, a reason of `REASONS` or null.
    """
    said = F.col("polarity_text" if source is LabelSource.polarity else "rating_text")
    gold = _named(said, target) if source is LabelSource.polarity else _weak(target)
    told = rows.select(*PLACE, "text_hash", "text", "problem", "prepared_blank", "rating", said.alias("said"), gold)
    return told.withColumn("left_out", _left_out(source)).drop("problem", "prepared_blank", "rating")


def _named(said: Column, target: Target) -> Column:
    """The label of that name, whatever its case; else what the profile's words for 0 and 1 mean to the model."""
    by_name = [F.when(F.lower(said) == label.lower(), F.lit(label)) for label in target.labels]
    return F.coalesce(*by_name, _of_polarity(F.col("polarity") == 0, F.col("polarity") == 1, target)).alias("gold")


def _weak(target: Target) -> Column:
    rating = F.col("rating")
    return _of_polarity(rating <= WEAK_NEGATIVE_TO, rating >= WEAK_POSITIVE_FROM, target).alias("gold")


def _of_polarity(negative: Column, positive: Column, target: Target) -> Column:
    return F.when(negative, F.lit(target.negative)).when(positive, F.lit(target.positive)).cast("string")


def _left_out(source: LabelSource) -> Column:
    first = (
        F.when(F.col("problem") == FORGOTTEN, FORGOTTEN)
        .when(F.col("problem").isNotNull(), "unreadable")
        .when(F.col("text").isNull() | F.col("prepared_blank"), "no_text")
        .when(F.col("said").isNull(), "no_label")
    )
    if source is LabelSource.polarity:
        return first.when(F.col("gold").isNull(), UNKNOWN_LABEL)
    in_range = F.col("rating").between(0.5, 5.0)
    return first.when(~F.coalesce(in_range, F.lit(False)), "no_rating").when(F.col("gold").isNull(), "rating_between")


class Sifted(NamedTuple):
    """Records that can be evaluated, and how many can't, by reason."""

    n: int
    left_out: dict[str, int]


def sifted(rows: DataFrame, of: LabelledSet, target: Target) -> Sifted:
    """Count what `labelled` gave; raises DataError where nothing is left, or, naming the first record, where a
    label is none of the model's."""
    first = F.min(F.struct(*PLACE, "said")).alias("first")
    found = {row["left_out"]: row for row in rows.groupBy("left_out").agg(F.count("*").alias("n"), first).collect()}
    if UNKNOWN_LABEL in found:
        raise _unknown_label(found[UNKNOWN_LABEL]["n"], found[UNKNOWN_LABEL]["first"], of, target)
    left_out = {reason: found[reason]["n"] for reason in REASONS if reason in found}
    if None not in found:
        raise DataError(
            f"{of.uri} has no record to evaluate: {in_words(left_out)}; expected a text, and as its label "
            f"{target.expected}.",
            f"sentiment source look {of.uri}",
        )
    return Sifted(found[None]["n"], left_out)


def _unknown_label(n: int, first: tuple[int, int, str], of: LabelledSet, target: Target) -> DataError:
    file_no, record_no, said = first
    place = f"record {record_no}" if len(of.layouts) == 1 else f"file {file_no}, record {record_no}"
    has_none = "" if target.has_polarity else " It has neither a negative nor a positive label for 0 and 1."
    more = f", the first of {n:,} such records," if n > 1 else ""
    return DataError(
        f"{of.uri}, {place}{more} has the label {said[:80]!r}; {target.model_id} says {target.expected}.{has_none}",
        f"mend the label or leave it empty, or: sentiment evaluate {of.uri} --model … (one of: sentiment model list)",
    )


def in_words(left_out: dict[str, int]) -> str:
    """Like `12 have no label, 1 can't be read`."""
    return ", ".join(f"{n:,} {REASONS[reason]}" for reason, n in left_out.items()) or "none"
