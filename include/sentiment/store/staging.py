"""Staging tables of one publishing attempt, filled by Spark JDBC; named by run and fencing token."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa
from psycopg2.sql import SQL, Identifier

from sentiment import database
from sentiment.database import transaction
from sentiment.errors import ParameterError
from sentiment.schemas import STAGED
from sentiment.sql import execute, statement

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CONNECTIONS = 4
BATCH_ROWS = 5000


@dataclass(frozen=True)
class Staging:
    """The staging tables of one attempt to publish `run_id`; `token` is the attempt's fencing token."""

    run_id: str
    token: int

    def name(self, kind: str) -> str:
        """Return the unqualified name of a table; ParameterError for a kind or a run that there can't be."""
        if kind not in STAGED or not re.fullmatch(r"\d{8}-[0-9a-f]{8}", self.run_id):
            raise ParameterError(f"There is no staging table {kind!r} for run {self.run_id!r}.", "sentiment runs")
        return f"{kind}_{self.run_id.replace('-', '_')}_{int(self.token)}"

    def table(self, kind: str) -> str:
        """Return the qualified name of a table; it needs no quotes in SQL."""
        return f"staging.{self.name(kind)}"

    def create(self) -> None:
        """Make the attempt's tables, empty, and drop those of this run's older attempts."""
        self.drop(older_only=True)
        with transaction() as c:
            for kind, part in STAGED.items():
                # A crash of the server empties unlogged tables; the audit then finds fewer rows than the manifest has.
                template = SQL("CREATE UNLOGGED TABLE {} ({})")
                execute(c, template.format(Identifier("staging", self.name(kind)), SQL(part.staging_ddl)))

    def fill(self, kind: str, frame: DataFrame) -> None:
        """Append a frame by JDBC; each row at least once, since a Spark task may be tried again."""
        partitions = min(frame.rdd.getNumPartitions(), CONNECTIONS)
        options = database.jdbc_options(database.url("writer"))
        # Not repartition: its shuffle would lose the order of keys in which `score` has written the reviews.
        writer = frame.coalesce(max(partitions, 1)).write.format("jdbc").options(**options)
        writer.options(dbtable=self.table(kind), batchsize=BATCH_ROWS).mode("append").save()

    def open_views(self, c: sa.Connection) -> None:
        """Make the temporary views `staged_review`, `staged_quarantine` and `staged_profile` of the tables.

        Statements in files read these, whatever the tables of the attempt are called.
        """
        for kind in STAGED:
            view, table = Identifier(f"staged_{kind}"), Identifier("staging", self.name(kind))
            execute(c, SQL("CREATE TEMP VIEW {} AS TABLE {}").format(view, table))
        # Spark filled the table a moment ago; the planner knows nothing of it.
        analyze = SQL("ANALYZE {} (review_id, item_id, novelty)")
        execute(c, analyze.format(Identifier("staging", self.name("review"))))

    def open_reviews(self, c: sa.Connection, has_duplicates: bool) -> None:
        """Make the temporary view `staged`: each staged review once; a copy of them where Spark wrote rows twice."""
        if has_duplicates:
            c.execute(statement("store/publish/deduplicate_staged"))
            c.execute(sa.text("ANALYZE staged_once"))
            c.execute(sa.text("CREATE TEMP VIEW staged AS TABLE staged_once"))
        else:
            c.execute(sa.text("CREATE TEMP VIEW staged AS TABLE staged_review"))

    def close_views(self, c: sa.Connection) -> None:
        """Drop the views that `open_views` and `open_reviews` made."""
        c.execute(sa.text("DROP VIEW staged, staged_review, staged_quarantine, staged_profile"))

    def drop(self, older_only: bool = False) -> None:
        """Drop this attempt's tables, or only those of the run's older attempts."""
        prefix = f"_{self.run_id.replace('-', '_')}_"
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'staging' AND strpos(tablename, :prefix) > 0"
        with transaction() as c:
            for name in list(c.execute(sa.text(query), {"prefix": prefix}).scalars()):
                token = int(name.rsplit("_", 1)[1])
                # A greater token is a newer attempt's, which works on its tables now.
                if token < self.token or (token == self.token and not older_only):
                    drop_table(c, name)


def drop_table(c: sa.Connection, name: str) -> None:
    """Drop a table of the schema `staging`, if it is still there."""
    execute(c, SQL("DROP TABLE IF EXISTS {}").format(Identifier("staging", name)))
