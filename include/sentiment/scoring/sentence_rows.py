"""Make a row of each sentence, so that sentences are scored as texts, and gather their scores by review."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from sentiment import contract
from sentiment.arrow_functions import forget_archives
from sentiment.scoring.sentences import spans


def of_reviews(reviews: DataFrame) -> DataFrame:
    """Return a row for each sentence of the reviews (review_id, text).

    Columns: review_id, sentence_no (from 1), begin_char and end_char (characters of the review's text, end excluded),
    text and text_hash. Two equal sentences have one text_hash, so they are scored once, like equal reviews.
    """

    def split(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        forget_archives()
        for texts in batches:
            yield texts.map(lambda text: [{"begin_char": b, "end_char": e} for b, e in spans(text)])

    sentences = pandas_udf(split, "array<struct<begin_char: int, end_char: int>>")(F.col("text"))  # type: ignore[call-overload]
    rows = reviews.select("review_id", F.col("text").alias("review_text"), F.posexplode(sentences).alias("n", "span"))
    begin, end = F.col("span.begin_char"), F.col("span.end_char")
    # substr counts from 1, and code points, as Python and Postgres do.
    cut = rows.select(
        "review_id",
        (F.col("n") + 1).alias("sentence_no"),
        begin.alias("begin_char"),
        end.alias("end_char"),
        F.col("review_text").substr(begin + 1, end - begin).alias("text"),
    )
    return cut.withColumn("text_hash", contract.text_hash())


def to_json(sentences: DataFrame, scores: DataFrame) -> DataFrame:
    """Return review_id and `sentences`: a JSON array of {sentence_no, begin_char, end_char, label, score}, in order.

    `sentences` are rows of `of_reviews`, `scores` their texts' text_hash, label and score. A sentence of which nothing
    reached the network is absent from the array; a review without scored sentences has no row.
    """
    scored = (
        sentences.drop("text")
        .join(scores.select("text_hash", "label", "score"), "text_hash")
        .where("label IS NOT NULL")
    )
    one = F.struct("sentence_no", "begin_char", "end_char", "label", "score")
    # array_sort: collect_list keeps no order. It sorts structs by their first field, sentence_no.
    return scored.groupBy("review_id").agg(F.to_json(F.array_sort(F.collect_list(one))).alias("sentences"))
