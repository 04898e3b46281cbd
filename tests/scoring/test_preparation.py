"""Texts of which nothing reaches the network are recognised without preparing them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from sentiment.scoring.preparation import CHUNK_END, leaves_nothing, prepared

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def test_leaves_nothing_exactly_where_prepared_text_is_empty(spark: SparkSession) -> None:
    every = [chr(n) for n in range(0x30000) if not 0xD800 <= n < 0xE000 and chr(n) != CHUNK_END]  # taken out before
    texts = spark.createDataFrame([(c,) for c in (*every, *map(" \t{}\u200b".format, every[:300]), "")], "text string")
    compared = texts.select(
        leaves_nothing(F.col("text")).alias("nothing"), (prepared(F.col("text")) == "").alias("empty")
    )
    counted = {
        (row["nothing"], row["empty"]): row["count"] for row in compared.groupBy("nothing", "empty").count().collect()
    }
    assert set(counted) == {(True, True), (False, False)}
