"""Deal rows to partitions so that scoring each costs as much: no core waits long for another."""

from __future__ import annotations

from functools import lru_cache

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

# So many that a straggler costs little, but none so small that starting its task costs more than the wait it saves.
PARTITIONS_A_CORE = 16
TEXTS_A_PARTITION = 32


def balanced(texts: DataFrame, rows: int, cost: str) -> DataFrame:
    """Return the `rows` rows of `texts`, with text_hash, in partitions whose sums of the column `cost` are alike.

    The row order is lost. There are up to `PARTITIONS_A_CORE` partitions a core, of at least `TEXTS_A_PARTITION` rows,
    but no fewer than cores.
    """
    cores = texts.sparkSession.sparkContext.defaultParallelism
    n = max(cores, min(cores * PARTITIONS_A_CORE, rows // TEXTS_A_PARTITION))
    keys = ", ".join(f"{key}L" for key in _keys(texts.sparkSession, n))
    # Each input partition deals its costliest rows first, forth and back over the slots (0..n-1, n-1..0, ...), so that
    # no slot gets the costlier of each pair. It begins at a slot of its own, else slot 0 got every costliest row.
    costliest = texts.sortWithinPartitions(F.desc(cost), "text_hash")
    numbered = costliest.selectExpr("*", f"{POSITION} AS position", "spark_partition_id() AS first_slot")
    dealt = numbered.selectExpr("*", f"array({keys})[pmod({TURN.format(n=n)} + first_slot, {n})] AS key")
    return dealt.repartition(n, "key").drop("position", "first_slot", "key")


# The lower 33 bits of monotonically_increasing_id count the rows of a partition from 0; the upper ones are its number.
POSITION = f"monotonically_increasing_id() & {2**33 - 1}"
TURN = "CASE WHEN pmod(position div {n}, 2) = 0 THEN position ELSE -1 - position END"


@lru_cache(maxsize=8)
def _keys(spark: SparkSession, n: int) -> list[int]:
    """Return for each of `n` partitions the least number that Spark's hash partitioning sends there."""
    # Spark lets nobody name a row's partition; a key whose hash leads there does the same. Of 40 n numbers every
    # partition gets one: the chance that one gets none is below n * e^-40.
    numbers = spark.range(0, 40 * n, 1, 1).select("id", F.pmod(F.hash("id"), F.lit(n)).alias("slot"))
    keys = {row["slot"]: row["key"] for row in numbers.groupBy("slot").agg(F.min("id").alias("key")).collect()}
    return [keys[slot] for slot in range(n)]
