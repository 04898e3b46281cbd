"""Rows dealt so that every partition costs as much to score: no core waits long for another."""

from __future__ import annotations

from functools import lru_cache

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

PARTITIONS_A_CORE = 16
"""So many that a straggler costs little, ..."""
TEXTS_A_PARTITION = 32
"""... but none so small that starting its task costs more than the wait it saves."""


def balanced(texts: DataFrame, rows: int, cost: str) -> DataFrame:
    """The `rows` rows of `texts` in partitions with like sums of the column `cost`.

    Every partition of `texts` deals its dearest first, forth and back, each beginning elsewhere.
    """
    cores = texts.sparkSession.sparkContext.defaultParallelism
    n = max(cores, min(cores * PARTITIONS_A_CORE, rows // TEXTS_A_PARTITION))
    keys = ", ".join(f"{key}L" for key in _keys(texts.sparkSession, n))
    dearest = texts.sortWithinPartitions(F.desc(cost), "text_hash")
    placed = dearest.selectExpr("*", f"{PLACE} AS place", "spark_partition_id() AS begin")
    dealt = placed.selectExpr("*", f"array({keys})[pmod({TURN.format(n=n)} + begin, {n})] AS key")
    return dealt.repartition(n, "key").drop("place", "begin", "key")


PLACE = f"monotonically_increasing_id() & {2**33 - 1}"
"""Of a row in its partition, from 0."""
TURN = "CASE WHEN pmod(place div {n}, 2) = 0 THEN place ELSE -1 - place END"


@lru_cache(maxsize=8)
def _keys(spark: SparkSession, n: int) -> list[int]:
    """For each of `n` partitions the first number that Spark's hash partitioning sends there."""
    numbers = spark.range(0, 40 * n, 1, 1).select("id", F.pmod(F.hash("id"), F.lit(n)).alias("slot"))
    found = {row["slot"]: row["key"] for row in numbers.groupBy("slot").agg(F.min("id").alias("key")).collect()}
    return [found[slot] for slot in range(n)]
