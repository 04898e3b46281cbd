"""Staging tables of one publishing attempt; named by run and fencing token, and loaded by `loading`."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass

import sqlalchemy as sa
from psycopg2.errors import LockNotAvailable, UndefinedTable
from psycopg2.sql import SQL, Identifier
from sqlalchemy.exc import DBAPIError

from sentiment.database import transaction
from sentiment.errors import ParameterError
from sentiment.schemas import STAGED
from sentiment.sql import execute

log = logging.getLogger(__name__)


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

    def open_views(self, c: sa.Connection) -> None:
        """Make a temporary view `staged_<kind>` of each of the tables.

        Statements in files read these, whatever the tables of the attempt are called.
        """
        for kind in STAGED:
            view, table = Identifier(f"staged_{kind}"), Identifier("staging", self.name(kind))
            execute(c, SQL("CREATE TEMP VIEW {} AS TABLE {}").format(view, table))
        # The table was filled a moment ago; the planner knows nothing of it.
        analyze = SQL("ANALYZE {} (review_id, item_id, novelty)")
        execute(c, analyze.format(Identifier("staging", self.name("review"))))

    def close_views(self, c: sa.Connection) -> None:
        """Drop the views that `open_views` made."""
        execute(c, SQL("DROP VIEW {}").format(SQL(", ").join(Identifier(f"staged_{kind}") for kind in STAGED)))

    def drop(self, older_only: bool = False) -> None:
        """Drop this attempt's tables and those of the run's older attempts, or only those of older ones.

        A table that an older attempt still loads stays, be that attempt's process stopped: maintain_store drops it.
        """
        prefix = f"_{self.run_id.replace('-', '_')}_"
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'staging' AND strpos(tablename, :prefix) > 0"
        with transaction() as c:
            for name in list(c.execute(sa.text(query), {"prefix": prefix}).scalars()):
                token = int(name.rsplit("_", 1)[1])
                # A greater token is a newer attempt's, which works on its tables now.
                if token == self.token and not older_only:
                    drop_table(c, name)
                elif token < self.token:
                    _drop_unless_loaded(c, name)


def _drop_unless_loaded(c: sa.Connection, name: str) -> None:
    lock = SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE NOWAIT").format(Identifier("staging", name))
    try:
        with c.begin_nested():
            execute(c, lock)
            drop_table(c, name)
    except DBAPIError as error:
        # Undefined where another attempt has dropped it at this moment.
        if not isinstance(error.orig, LockNotAvailable | UndefinedTable):
            raise
        log.info("staging table %s stays: an attempt still loads it, or it is gone", name)


def drop_table(c: sa.Connection, name: str) -> None:
    """Drop a table of the schema `staging`, if it is still there."""
    execute(c, SQL("DROP TABLE IF EXISTS {}").format(Identifier("staging", name)))
