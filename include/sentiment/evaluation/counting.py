"""What Spark counts of a scored set; only counts and the worst mistakes leave it."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sentiment.evaluation.outcome import Mistake
from sentiment.evaluation.paired import Pairs
from sentiment.evaluation.report import BINS, Cell
from sentiment.evaluation.sifting import PLACE

SHOWN_CHARS = 200
"""Of a mistake's text so much is shown."""


def verdicts(usable: DataFrame, scores: DataFrame) -> DataFrame:
    """`PLACE`, gold, predicted, confidence and squared_error of each record; no texts.

    `usable` has `PLACE`, text_hash and gold, `scores` each text's label, score and probabilities.
    """
    said = usable.select(*PLACE, "text_hash", "gold").join(scores, "text_hash")
    return said.select(
        *PLACE, "gold", F.col("label").alias("predicted"), F.col("score").alias("confidence"), _squared_error()
    )


def _squared_error() -> Column:
    """Sum over labels of (p - 1 where it is the label)^2, which is the sum of p^2, less 2p of the label, plus 1."""
    chances = F.from_json("probabilities", "map<string,double>")
    squares = F.aggregate(F.map_values(chances), F.lit(0.0), lambda total, p: total + p * p)
    return (squares - 2 * F.element_at(chances, F.col("gold")) + 1).alias("squared_error")


def cells(told: DataFrame) -> tuple[Cell, ...]:
    """Counts by label, prediction and confidence bin of `verdicts`."""
    place = F.least(F.greatest(F.ceil(F.col("confidence") * BINS) - 1, F.lit(0)), F.lit(BINS - 1))
    groups = told.groupBy("gold", "predicted", place.cast("int").alias("confidence_bin"))
    counted = groups.agg(F.count("*").alias("n"), F.sum("confidence"), F.sum("squared_error"))
    return tuple(sorted(Cell(*row) for row in counted.where("predicted IS NOT NULL").collect()))


def worst(told: DataFrame, usable: DataFrame, n: int) -> tuple[Mistake, ...]:
    """The n wrong answers that the model was surest of, surest first, with the beginnings of their texts."""
    order = (F.desc("confidence"), *PLACE)
    wrong = told.where("gold <> predicted").orderBy(*order).limit(n)
    texts = usable.select(*PLACE, F.substring("text", 1, SHOWN_CHARS).alias("text"))
    rows = wrong.join(texts, [*PLACE]).orderBy(*order)
    return tuple(Mistake(*row) for row in rows.select(*PLACE, "gold", "predicted", "confidence", "text").collect())


def pairs(first: DataFrame, second: DataFrame) -> Pairs:
    """How often one alone is right, over the records that both evaluations have."""
    both = _right(first, "first").join(_right(second, "second"), [*PLACE])
    one, other = F.col("first"), F.col("second")
    counted = both.agg(F.count("*"), F.count_if(one & ~other), F.count_if(other & ~one))
    return Pairs(*counted.collect()[0])


def _right(told: DataFrame, name: str) -> DataFrame:
    return told.select(*PLACE, (F.col("gold") == F.col("predicted")).alias(name))
