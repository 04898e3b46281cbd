"""Rows dealt so that every partition costs as much to score: no core waits long for another."""

from __future__ import annotations

from functools import lru_cache

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

PARTITIONS_A_CORE = 16
"""So many that a straggler costs little, ..."""
TEXTS_A_PARTITION = 16
"""... but none so small that starting its task costs more than the wait it saves."""


def balanced(texts: DataFrame, rows: int, cost: str) -> DataFrame:
    """The `rows` rows of `texts` in partitions with like sums of the column `cost`.

    The dearest are dealt first, forth and back. Rows pass through one task, so `texts` is one chunk, not a night.
    """
    cores = texts.sparkSession.sparkContext.defaultParallelism
    n = max(cores, min(cores * PARTITIONS_A_CORE, rows // TEXTS_A_PARTITION))
    place = F.monotonically_increasing_id()  # counts from 0, there being one partition
    by_cost = texts.repartition(1).sortWithinPartitions(F.desc(cost), "text_hash")
    dealt, turn = F.pmod("place", F.lit(n)), F.pmod(F.floor(F.col("place") / n), F.lit(2))
    slot = F.when(turn == 0, dealt).otherwise(n - 1 - dealt)
    keys = F.array(*(F.lit(key).cast("bigint") for key in _keys(texts.sparkSession, n)))
    ranked = by_cost.withColumn("place", place).withColumn("slot", F.element_at(keys, (slot + 1).cast("int")))
    return ranked.repartition(n, "slot").drop("place", "slot")


@lru_cache(maxsize=8)
def _keys(spark: SparkSession, n: int) -> list[int]:
    """For each of `n` partitions the first number that Spark's hash partitioning sends there."""
    numbers = spark.range(0, 40 * n, 1, 1).select("id", F.pmod(F.hash("id"), F.lit(n)).alias("slot"))
    found = {row["slot"]: row["key"] for row in numbers.groupBy("slot").agg(F.min("id").alias("key")).collect()}
    return [found[slot] for slot in range(n)]
