"""Counts of one night for each slice and watched column; everything downstream works on them alone."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sentiment.drift.watched import ALL, COUNTED, EDGES_ID, FILM_SLICES, KEY, REST, SLICES, Watched
from sentiment.labels import Band
from sentiment.schemas import PROFILE


def count(fresh: DataFrame, band: Band) -> DataFrame:
    """Profile rows (`schemas.PROFILE`) of a night's new and changed reviews with their scores.

    `band` is the band of uncertain probabilities (`confidence.band_of`).
    """
    low, high = (F.lit(limit) for limit in band)
    pairs = [_value(ALL, f"'{ALL}'", w) for w in COUNTED]
    pairs += [_value(key, sql, w) for key, sql in SLICES.items() for w in COUNTED if w.in_slices]
    long = (
        _with_film(fresh)
        .withColumns({"band_low": low, "band_high": high})
        .select(F.coalesce("item_id", F.lit("")).alias("item_id"), F.explode(F.array(*pairs)).alias("watched"))
        .select("item_id", "watched.*")
        .select("*", F.expr(BIN).alias("bin"), F.expr("size(edges) + 2").alias("n_bins"))
    )
    return _by_series(_by_item(long)).select(*PROFILE.names)


def _with_film(fresh: DataFrame) -> DataFrame:
    """Add the column `film`: the item id of the night's `FILM_SLICES` most reviewed films, else `REST`."""
    most = (
        fresh.where("item_id IS NOT NULL")
        .groupBy("item_id")
        .agg(F.count("*").alias("n"))
        .orderBy(F.desc("n"), "item_id")
        .limit(FILM_SLICES)
        .select("item_id", F.col("item_id").alias("film"))
    )
    return fresh.join(F.broadcast(most), "item_id", "left").withColumn("film", F.coalesce("film", F.lit(REST)))


def _value(key: str, value: str, watched: Watched) -> Column:
    return F.struct(
        F.lit(key).alias("slice_key"),
        F.expr(value).alias("slice_value"),
        F.lit(watched.name).alias("column_name"),
        F.lit(watched.data_type).alias("data_type"),
        F.array(*(F.lit(float(edge)) for edge in watched.edges)).alias("edges"),
        F.expr(f"cast({watched.value} AS double)").alias("value"),
    )


BIN = "CASE WHEN value IS NULL THEN 0 ELSE 1 + size(filter(edges, e -> e <= value)) END"


BINS = tuple(f"bin_{number}" for number in range(max(w.n_bins for w in COUNTED)))
"""Names of the counts of each bin, null bin included; a column with fewer bins leaves the last ones 0."""


def _by_item(long: DataFrame) -> DataFrame:
    return long.groupBy(*KEY, "data_type", "n_bins", "item_id").agg(
        F.count("*").alias("rows"),
        F.count("value").alias("n_f"),
        F.coalesce(F.sum("value"), F.lit(0.0)).alias("s_f"),
        F.sum(F.col("value") * F.col("value")).alias("sq_f"),
        F.min("value").alias("low"),
        F.max("value").alias("high"),
        # With the moments, though no bin needs the item: a pass for bins alone would compute every value again.
        *(F.count_if(F.col("bin") == number).alias(name) for number, name in enumerate(BINS)),
    )


def _by_series(by_item: DataFrame) -> DataFrame:
    n, total = F.sum("n_f"), F.sum("s_f")
    mean = total / n
    return by_item.groupBy(*KEY, "data_type", "n_bins").agg(
        F.sum("rows").alias("n"),
        (F.sum("rows") - n).alias("n_null"),
        mean.alias("avg"),
        # Rounding may take a variance in this form below 0, whose root would be NaN.
        F.sqrt(F.greatest(F.sum("sq_f") / n - mean * mean, F.lit(0.0))).alias("stddev"),
        F.min("low").alias("min"),
        F.max("high").alias("max"),
        F.when(F.col("column_name") == "text_chars", mean).alias("avg_length"),
        F.lit(EDGES_ID).alias("edges_id"),
        F.count("*").alias("n_items"),
        F.sum(F.col("s_f") * F.col("s_f")).alias("sum_item_sq"),
        F.sum(F.col("s_f") * F.col("n_f")).alias("sum_item_cross"),
        F.sum((F.col("n_f") * F.col("n_f")).cast("double")).alias("sum_item_n_sq"),
        F.slice(F.array(*(F.sum(name) for name in BINS)), F.lit(1), F.col("n_bins")).alias("bin_counts"),
    )
