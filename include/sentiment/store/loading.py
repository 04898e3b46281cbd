"""Load a night's committed parts into the staging tables of an attempt: Arrow's batches, in one transaction."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from sentiment import database
from sentiment.errors import SentimentError
from sentiment.runs import phases
from sentiment.runs.attempts import Attempt
from sentiment.schemas import STAGED
from sentiment.store.staging import Staging
from sentiment.workspace import Part, Workspace

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

log = logging.getLogger(__name__)

BATCH_ROWS = 10_000
"""Most rows of a batch: more load no faster, and each batch is in memory about three times."""
STORED_COLUMNS = frozenset({"title", "text", "author"})
"""What is left out of a review that the tables hold already, since nothing reads it in staging."""
REVIEW = "review"
MAY_BE_MISSING = ("duplicate", "unread")
"""Kinds of which a night may have nothing."""


@dataclass(frozen=True)
class Stored:
    """Which reviews the tables hold already: those whose `column`, of the part, holds `value`."""

    column: str
    value: str | bool


KNOWN = Stored("novelty", "known")
SHOWN = Stored("is_shown", True)


@dataclass(frozen=True)
class Rows:
    """What a staging table is loaded with: committed parts, of which `stored` reviews leave out STORED_COLUMNS."""

    parts: Sequence[Part]
    stored: Stored | None = None
    chosen: Callable[[pa.RecordBatch], pa.RecordBatch] | None = None
    """Chooses rows of each batch in turn; None: all are loaded."""


def stage(attempt: Attempt, workspace: Workspace, tables: Mapping[str, Rows]) -> None:
    """Make the attempt's staging tables and load them, all or none; the attempt's progress is in reviews.

    `tables` is by kind of staging table, and loaded in its order. Each row is loaded once, with exactly the types of
    `schemas.STAGED`. Raises StaleAttemptError where a newer attempt has dropped the tables, InfrastructureError where
    a part can't be read, and what `database.bulk_transaction` raises.
    """
    staging = Staging(attempt.run_id, attempt.token)
    staging.create()
    progress = _Progress(attempt, sum(part.rows for part in tables[REVIEW].parts)) if REVIEW in tables else None
    try:
        with database.bulk_transaction() as connection:
            for kind, rows in tables.items():
                stream = _Stream(_batches(workspace, kind, rows), progress if kind == REVIEW else None)
                _load(connection, staging, kind, stream)
                log.info("loaded %s rows into %s", f"{stream.n_rows:,}", staging.table(kind))
    except SentimentError:
        # A newer attempt drops the tables of older ones; a missing table is no error of this code then.
        attempt.check_token()
        raise


def _batches(workspace: Workspace, kind: str, rows: Rows) -> Iterator[pa.RecordBatch]:
    schema, read = STAGED[kind].staged_arrow(), set(STAGED[kind].staged)
    if rows.stored:
        read.add(rows.stored.column)
    files = workspace.files_of(rows.parts) if rows.parts or kind not in MAY_BE_MISSING else []
    for batch in workspace.batches(files, read, BATCH_ROWS):
        yield staged_batch(rows.chosen(batch) if rows.chosen else batch, schema, rows.stored)


def staged_batch(batch: pa.RecordBatch, schema: pa.Schema, stored: Stored | None = None) -> pa.RecordBatch:
    """Return the columns of `schema` in its types, without what the tables hold of `stored` reviews.

    A time without a zone is one of UTC, as Spark's 96 bits are. Raises ArrowInvalid where a value doesn't fit its type.
    """
    is_stored = pc.equal(batch.column(stored.column), stored.value) if stored else None
    columns = []
    for field in schema:
        column = batch.column(field.name).cast(field.type)
        if is_stored is not None and field.name in STORED_COLUMNS:
            column = pc.if_else(is_stored, pa.scalar(None, field.type), column)
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=schema)


class _Progress:
    """Announces and notes how many reviews the driver has taken."""

    def __init__(self, attempt: Attempt, total: int) -> None:
        self._attempt, self._total, self._began = attempt, total, time.monotonic()

    def __call__(self, done: int) -> None:
        """Note that the first `done` reviews are taken."""
        phases.reached("loading")
        per_s = max(done, 1) / max(time.monotonic() - self._began, 1e-3)
        pace = {"rows_per_s": round(per_s, 1), "left_s": round((self._total - done) / per_s)}
        self._attempt.progress(done, self._total, pace)


class _Stream:
    """Batches on their way into the driver, which reports their errors by text alone."""

    def __init__(self, batches: Iterator[pa.RecordBatch], taken: Callable[[int], None] | None) -> None:
        self._batches, self._taken = batches, taken
        self.n_rows = 0
        """Rows that the driver has taken."""
        self.error: BaseException | None = None
        """What was raised while the driver asked for a batch, be it the signal that ends a task."""

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._batches:
                yield batch
                self.n_rows += batch.num_rows
                if self._taken:
                    self._taken(self.n_rows)
        except GeneratorExit:  # the driver has failed, and asks for no more
            raise
        except BaseException as error:
            self.error = error
            raise


def _load(connection: Connection, staging: Staging, kind: str, stream: _Stream) -> None:
    from adbc_driver_manager import Error

    reader = pa.RecordBatchReader.from_batches(STAGED[kind].staged_arrow(), iter(stream))
    try:
        with connection.cursor() as cursor:
            cursor.adbc_ingest(staging.name(kind), reader, "append", db_schema_name="staging")
    except Error:
        if stream.error:
            raise stream.error from None
        raise
