"""Staging tables of one publishing attempt, filled by Spark JDBC. Keyed by run and fence token."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sentiment import database
from sentiment.database import transaction
from sentiment.errors import ParameterError
from sentiment.schemas import STAGED

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CONNECTIONS = 4
BATCH_ROWS = 5000


@dataclass(frozen=True)
class Staging:
    """Names of one attempt's staging tables."""

    run_id: str
    token: int

    def table(self, kind: str) -> str:
        """Qualified name; safe to put into SQL."""
        if kind not in STAGED or not re.fullmatch(r"\d{8}-[0-9a-f]{8}", self.run_id):
            raise ParameterError(f"There is no staging table {kind!r} for run {self.run_id!r}.", "sentiment runs")
        return f"staging.{kind}_{self.run_id.replace('-', '_')}_{int(self.token)}"

    def create(self) -> None:
        """Make the attempt's tables, empty, and drop those of this run's older attempts."""
        self.drop(older_only=True)
        with transaction() as c:
            for kind, part in STAGED.items():
                c.exec_driver_sql(f"CREATE UNLOGGED TABLE {self.table(kind)} ({part.staging_ddl})")

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
