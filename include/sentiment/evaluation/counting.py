"""Count a scored labelled set in Spark: only counts and the worst mistakes are collected by the driver."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sentiment.evaluation.model import Mistake
from sentiment.evaluation.paired import Pairs
from sentiment.evaluation.report import BINS, Cell
from sentiment.evaluation.selection import RECORD_KEY

SHOWN_CHARS = 200
"""Characters of a mistake's text that are collected."""


def predictions(usable: DataFrame, scores: DataFrame) -> DataFrame:
    """Return `RECORD_KEY`, gold, predicted, confidence and squared_error of each record; no texts.

    `usable` has `RECORD_KEY`, text_hash and gold; `scores` has each text's label, score and probabilities (JSON).
    `confidence` is the predicted label's probability; `squared_error` the sum over labels of
    (probability - 1 where it is the gold label)^2. A text without a score has null in all three.
    """
    scored = usable.select(*RECORD_KEY, "text_hash", "gold").join(scores, "text_hash")
    return scored.select(
        *RECORD_KEY, "gold", F.col("label").alias("predicted"), F.col("score").alias("confidence"), _squared_error()
    )


def _squared_error() -> Column:
    # (p - 1)^2 for the gold label and p^2 for the others: the sum of all p^2, less twice the gold label's p, plus 1.
    probabilities = F.from_json("probabilities", "map<string,double>")
    squares = F.aggregate(F.map_values(probabilities), F.lit(0.0), lambda total, p: total + p * p)
    return (squares - 2 * F.element_at(probabilities, F.col("gold")) + 1).alias("squared_error")


def cells(predicted: DataFrame) -> tuple[Cell, ...]:
    """Return the counts of `predictions` by label, prediction and confidence bin, less records without a score."""
    # ceil - 1: a bin holds its upper end, not its lower one. Clipped, so that 0 and rounding above 1 have a bin too.
    confidence_bin = F.least(F.greatest(F.ceil(F.col("confidence") * BINS) - 1, F.lit(0)), F.lit(BINS - 1))
    groups = predicted.groupBy("gold", "predicted", confidence_bin.cast("int").alias("confidence_bin"))
    counted = groups.agg(F.count("*").alias("n"), F.sum("confidence"), F.sum("squared_error"))
    return tuple(sorted(Cell(*row) for row in counted.where("predicted IS NOT NULL").collect()))


def worst(predicted: DataFrame, usable: DataFrame, n: int) -> tuple[Mistake, ...]:
    """Return the n wrong predictions of highest confidence, highest first, with the beginnings of their texts."""
    order = (F.desc("confidence"), *RECORD_KEY)
    wrong = predicted.where("gold <> predicted").orderBy(*order).limit(n)
    texts = usable.select(*RECORD_KEY, F.substring("text", 1, SHOWN_CHARS).alias("text"))
    # A join loses the order of its left side, hence the second sort, of n rows.
    rows = wrong.join(texts, [*RECORD_KEY]).orderBy(*order)
    return tuple(Mistake(*row) for row in rows.select(*RECORD_KEY, "gold", "predicted", "confidence", "text").collect())


def pairs(first: DataFrame, second: DataFrame) -> Pairs:
    """Return how often one evaluation alone is right, over the records that both `predictions` have."""
    both = _right(first, "first").join(_right(second, "second"), [*RECORD_KEY])
    one, other = F.col("first"), F.col("second")
    counted = both.agg(F.count("*"), F.count_if(one & ~other), F.count_if(other & ~one))
    return Pairs(*counted.collect()[0])


def _right(predicted: DataFrame, name: str) -> DataFrame:
    return predicted.select(*RECORD_KEY, (F.col("gold") == F.col("predicted")).alias(name))
