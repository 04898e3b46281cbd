"""Counts of one night for each slice and watched column; everything downstream works on them alone.

The plan is SQL text: built from Python, call by call, it took most of a second.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from sentiment.contract import quoted
from sentiment.drift.watched import ALL, COUNTED, EDGES_ID, FILM_SLICES, KEY, REST, SLICES, Watched
from sentiment.labels import Band
from sentiment.schemas import PROFILE


def count(fresh: DataFrame, band: Band, by: tuple[str, ...] = ()) -> DataFrame:
    """Profile rows (`schemas.PROFILE`) of a night's new and changed reviews with their scores.

    `band` is the band of uncertain probabilities (`confidence.band_of`). `by` are columns that name a night where the
    reviews are of several; they come first.
    """
    low, high = map(float, band)
    pairs = [_value(ALL, quoted(ALL), w) for w in COUNTED]
    pairs += [_value(key, sql, w) for key, sql in SLICES.items() for w in COUNTED if w.in_slices]
    banded = _with_film(fresh, by).selectExpr("*", f"{low!r}D AS band_low", f"{high!r}D AS band_high")
    exploded = f"explode(array({', '.join(pairs)})) AS watched"
    watched = banded.selectExpr(*by, "coalesce(item_id, '') AS item_id", exploded)
    binned = watched.selectExpr(*by, "item_id", "watched.*")
    binned = binned.selectExpr("*", f"{BIN} AS bin", "size(edges) + 2 AS n_bins")
    by_item = binned.groupBy(*by, *KEY, "data_type", "n_bins", "item_id").agg(*map(F.expr, OF_ITEM))
    by_series = by_item.groupBy(*by, *KEY, "data_type", "n_bins").agg(*map(F.expr, OF_SERIES))
    return by_series.select(*by, *PROFILE.names)


def _with_film(fresh: DataFrame, by: tuple[str, ...]) -> DataFrame:
    """Add the column `film`: the item id of the night's `FILM_SLICES` most reviewed films, else `REST`."""
    counted = fresh.where("item_id IS NOT NULL").groupBy(*by, "item_id").agg(F.count("*").alias("n"))
    most = (
        counted.withColumn("rank", F.row_number().over(Window.partitionBy(*by).orderBy(F.desc("n"), "item_id")))
        .where(F.col("rank") <= FILM_SLICES)
        .select(*by, "item_id", F.col("item_id").alias("film"))
    )
    joined = fresh.join(F.broadcast(most), [*by, "item_id"], "left")
    return joined.withColumn("film", F.coalesce("film", F.lit(REST)))


def _value(key: str, value: str, watched: Watched) -> str:
    fields = {
        "slice_key": quoted(key),
        "slice_value": value,
        "column_name": quoted(watched.name),
        "data_type": quoted(watched.data_type),
        "edges": f"array({', '.join(f'{float(edge)!r}D' for edge in watched.edges)})",
        "value": f"cast({watched.value} AS double)",
    }
    return f"struct({', '.join(f'{sql} AS {name}' for name, sql in fields.items())})"


BIN = "CASE WHEN value IS NULL THEN 0 ELSE 1 + size(filter(edges, e -> e <= value)) END"
BINS = tuple(f"bin_{number}" for number in range(max(w.n_bins for w in COUNTED)))
"""Names of the counts of each bin, null bin included; a column with fewer bins leaves the last ones 0."""
OF_ITEM = (
    "count(*) AS rows",
    "count(value) AS n_f",
    "coalesce(sum(value), 0D) AS s_f",
    "sum(value * value) AS sq_f",
    "min(value) AS low",
    "max(value) AS high",
    # With the moments, though no bin needs the item: a pass for bins alone would compute every value again.
    *(f"count_if(bin = {number}) AS {name}" for number, name in enumerate(BINS)),
)
MEAN = "sum(s_f) / sum(n_f)"
OF_SERIES = (
    "sum(rows) AS n",
    "sum(rows) - sum(n_f) AS n_null",
    f"{MEAN} AS avg",
    # Rounding may take a variance in this form below 0, whose root would be NaN.
    f"sqrt(greatest(sum(sq_f) / sum(n_f) - ({MEAN}) * ({MEAN}), 0D)) AS stddev",
    "min(low) AS min",
    "max(high) AS max",
    f"CASE WHEN column_name = 'text_chars' THEN {MEAN} END AS avg_length",
    f"{quoted(EDGES_ID)} AS edges_id",
    "count(*) AS n_items",
    "sum(s_f * s_f) AS sum_item_sq",
    "sum(s_f * n_f) AS sum_item_cross",
    "sum(cast(n_f * n_f AS double)) AS sum_item_n_sq",
    f"slice(array({', '.join(f'sum({name})' for name in BINS)}), 1, n_bins) AS bin_counts",
)
