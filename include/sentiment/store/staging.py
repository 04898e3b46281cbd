"""Staging tables of one publishing attempt, filled by Spark JDBC. Keyed by run and fence token."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sentiment import database
from sentiment.database import transaction
from sentiment.errors import ParameterError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CONNECTIONS = 4
BATCH_ROWS = 5000

COLUMNS = {
    "review": (
        "file_no int, record_no bigint, review_id text, item_id text, item_type text, item_title text, "
        "author text, rating double precision, review_date date, title text, text text, polarity int, "
        "text_hash text, content_hash text, novelty text, label text, score double precision, "
        "p_positive double precision, probabilities text, n_wordpieces int, n_chunks smallint, "
        "scored_at timestamptz, sentences text"
    ),
    "quarantine": (
        "file_no int, record_no bigint, reasons text[], details text, raw bytea, raw_bytes bigint, raw_sha256 text, "
        "byte_offset bigint"
    ),
    "profile": (
        "slice_key text, slice_value text, column_name text, data_type text, n bigint, n_null bigint, "
        "avg double precision, stddev double precision, min double precision, max double precision, "
        "avg_length double precision, edges_id text, bin_counts bigint[], n_items bigint, "
        "sum_item_sq double precision, sum_item_cross double precision, sum_item_n_sq double precision"
    ),
}
"""Kind of staging table -> its columns: the only such names there are."""


@dataclass(frozen=True)
class Staging:
    """Names of one attempt's staging tables."""

    run_id: str
    token: int

    def table(self, kind: str) -> str:
        """Qualified name; safe to put into SQL."""
        if kind not in COLUMNS or not re.fullmatch(r"\d{8}-[0-9a-f]{8}", self.run_id):
            raise ParameterError(f"There is no staging table {kind!r} for run {self.run_id!r}.", "sentiment runs")
        return f"staging.{kind}_{self.run_id.replace('-', '_')}_{int(self.token)}"

    def create(self) -> None:
        """Make the attempt's tables, empty, and drop those of this run's older attempts."""
        self.drop(older_only=True)
        with transaction() as c:
            for kind, columns in COLUMNS.items():
                c.exec_driver_sql(f"CREATE UNLOGGED TABLE {self.table(kind)} ({columns})")

    def fill(self, kind: str, frame: DataFrame) -> None:
        """Append a frame by JDBC: at least once, so that the merge deduplicates."""
        partitions = min(frame.rdd.getNumPartitions(), CONNECTIONS)
        options = database.jdbc_options(database.url("writer"))
        writer = frame.coalesce(max(partitions, 1)).write.format("jdbc").options(**options)
        writer.options(dbtable=self.table(kind), batchsize=BATCH_ROWS).mode("append").save()

    def drop(self, older_only: bool = False) -> None:
        """Drop this attempt's tables, or those of the run's older attempts."""
        prefix = f"_{self.run_id.replace('-', '_')}_"
        with transaction() as c:
            names = c.execute(
                sa.text(
                    "SELECT tablename FROM pg_tables WHERE schemaname = 'staging' AND strpos(tablename, :prefix) > 0"
                ),
                {"prefix": prefix},
            ).scalars()
            for name in list(names):
                token = int(name.rsplit("_", 1)[1])
                if token < self.token or (token == self.token and not older_only):
                    c.exec_driver_sql(f"DROP TABLE IF EXISTS staging.{name}")
