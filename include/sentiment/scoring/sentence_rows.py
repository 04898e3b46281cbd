"""Sentences as texts to be scored, and what is told of them."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from sentiment import contract
from sentiment.scoring.sentences import spans


def of_reviews(reviews: DataFrame) -> DataFrame:
    """A row a sentence of (review_id, text): `review_id`, `sentence_no` from 1, `begin_char`, `end_char`, `text`,
    `text_hash`. A sentence is a text: it is scored once however often it is said.
    """

    def find(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        contract.forget_archives()
        for texts in batches:
            yield texts.map(lambda text: [{"begin_char": b, "end_char": e} for b, e in spans(text)])

    places = pandas_udf(find, "array<struct<begin_char: int, end_char: int>>")(F.col("text"))  # type: ignore[call-overload]
    rows = reviews.select("review_id", F.col("text").alias("whole"), F.posexplode(places).alias("n", "place"))
    begin, end = F.col("place.begin_char"), F.col("place.end_char")
    parted = rows.select(
        "review_id",
        (F.col("n") + 1).alias("sentence_no"),
        begin.alias("begin_char"),
        end.alias("end_char"),
        F.col("whole").substr(begin + 1, end - begin).alias("text"),
    )
    return parted.withColumn("text_hash", contract.text_hash())


def to_json(said: DataFrame, scores: DataFrame) -> DataFrame:
    """`review_id` and `sentences`, JSON of (sentence_no, begin_char, end_char, label, score) in order, from
    `of_reviews` and the scores of its texts; a sentence of which nothing reaches the network is left out.
    """
    scored = (
        said.drop("text").join(scores.select("text_hash", "label", "score"), "text_hash").where("label IS NOT NULL")
    )
    one = F.struct("sentence_no", "begin_char", "end_char", "label", "score")
    return scored.groupBy("review_id").agg(F.to_json(F.array_sort(F.collect_list(one))).alias("sentences"))
