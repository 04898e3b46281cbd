"""Parts loaded into staging: every value as it was, all tables or none, in bounded memory."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from sentiment import settings
from sentiment.database import bulk_transaction, transaction
from sentiment.errors import (
    InfrastructureError,
    StaleAttemptError,
)
from sentiment.runs import attempts, opening, phases
from sentiment.runs.attempts import Attempt
from sentiment.runs.model import DumpFile
from sentiment.schemas import STAGED
from sentiment.scoring import registry
from sentiment.store import loading
from sentiment.store.loading import KNOWN, SHOWN, Rows, Stored
from sentiment.store.staging import Staging
from sentiment.workspace import Part, Workspace

from tests.kit.rows import remove_source

pytestmark = pytest.mark.usefixtures("server")

SOURCE, NIGHT = "loaded_here", date(2026, 8, 10)
DATASETS = {"review": "scored", "quarantine": "quarantined", "profile": "profile"} | dict.fromkeys(
    ["duplicate", "unread"], "part"
)
_NUMBERS = count(1)
PARIS = timezone(timedelta(hours=2))
NOON = datetime(2026, 7, 1, 12, 0, 0, 123456, UTC)

VALUES: dict[str, list[Any]] = {
    "text": [None, "", "Été \U0001f3ac d'« ici »\n\t\\N \\.", "null", '{"neg": 0.1, "pos": 0.9}', "x" * 300_000],
    "int": [None, 0, -(2**31), 2**31 - 1],
    "bigint": [None, 0, -(2**63), 2**63 - 1],
    "smallint": [None, 0, -(2**15), 2**15 - 1],
    "double precision": [None, 0.1, -0.0, 5e-324, 1.7976931348623157e308, math.inf],
    "date": [None, date(1895, 12, 28), date(1970, 1, 1), date(9999, 12, 31)],
    "timestamptz": [None, NOON, datetime(1969, 12, 31, 23, 59, 59, 999999, UTC), datetime(2600, 1, 1, tzinfo=UTC)],
    "bytea": [None, b"", b"\x00\xff\\x00,\n", bytes(range(256)) * 256],
    "text[]": [None, [], ["blank_text"], ["a,b", '"', "{}", "", None]],
    "bigint[]": [None, [], [0, 2**63 - 1, None, -1]],
}
"""Type of a staging column -> values that must come back as they are."""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(str(tmp_path))


@pytest.fixture
def attempt() -> Iterator[Attempt]:
    """An attempt to publish a run."""
    registry.register(registry.find("cinema-fr", settings.load()))
    dump_id = f"dump-{next(_NUMBERS)}"
    opening.record_dump(dump_id, SOURCE, "test", [DumpFile(0, "test", "0" * 64, "jsonl", "none", 1, 1)])
    run = opening.open_run(NIGHT, SOURCE, dump_id, "cinema-fr")
    with suppress(StaleAttemptError), attempts.attempt(run.run_id, "publish") as begun:
        yield begun
    Staging(begun.run_id, begun.token).drop()
    remove_source(SOURCE)


def write(workspace: Workspace, kind: str, rows: list[dict[str, Any]], **options: Any) -> Part:
    """Write a part of the kind as Arrow's types are, or as `table` has it."""
    table = options.pop("table", None) or pa.Table.from_pylist(rows, STAGED[kind].arrow())
    relative = f"{DATASETS[kind]}/{next(_NUMBERS)}/part.parquet"
    workspace.filesystem.create_dir(workspace.local(relative).rpartition("/")[0])
    pq.write_table(table, workspace.local(relative), filesystem=workspace.filesystem, **options)
    return Part([relative], table.num_rows, "")


def tables(workspace: Workspace, **parts: Part | Rows) -> dict[str, Rows]:
    """Return what the staging tables are loaded with: the parts named by kind, else empty ones."""
    empty = {kind: write(workspace, kind, []) for kind in STAGED if kind not in parts}
    return {kind: part if isinstance(part, Rows) else Rows([part]) for kind, part in {**empty, **parts}.items()}


def staged(attempt: Attempt, kind: str) -> list[dict[str, Any]]:
    """Return the rows of a staging table, by their first two columns."""
    with transaction() as c:
        c.execute(sa.text("SET LOCAL TimeZone = 'Asia/Kathmandu'"))
        query = sa.text(f"SELECT * FROM {Staging(attempt.run_id, attempt.token).table(kind)} ORDER BY 1, 2")  # noqa: S608
        return [
            {name: bytes(v) if isinstance(v, memoryview) else v for name, v in row.items()}
            for row in c.execute(query).mappings()
        ]


def rows_of_every_value(kind: str) -> list[dict[str, Any]]:
    """Return rows in which each column has each of its type's values, numbered by the first two columns."""
    columns = [column for column in STAGED[kind].columns if column.postgres]
    rows = [
        {c.name: VALUES[str(c.postgres)][number % len(VALUES[str(c.postgres)])] for c in columns}
        for number in range(max(map(len, VALUES.values())))
    ]
    first, second = columns[0].name, columns[1].name
    key: Callable[[int], Any] = (lambda n: n) if columns[0].postgres == "int" else lambda n: f"{n}"
    return [{**row, first: key(number), second: key(number)} for number, row in enumerate(rows)]


@pytest.mark.parametrize("kind", STAGED)
def test_every_value_is_staged_as_it_was(kind: str, workspace: Workspace, attempt: Attempt) -> None:
    rows = rows_of_every_value(kind)
    part = write(workspace, kind, rows)
    loading.stage(attempt, workspace, tables(workspace, **{kind: part}))
    assert staged(attempt, kind) == rows


def test_every_type_of_a_staging_column_has_values_to_try() -> None:
    assert {column.postgres for schema in STAGED.values() for column in schema.columns} - {None} == set(VALUES)


def test_parts_without_rows_leave_empty_tables(workspace: Workspace, attempt: Attempt) -> None:
    loading.stage(attempt, workspace, tables(workspace))
    assert [staged(attempt, kind) for kind in STAGED] == [[]] * len(STAGED)


def review(number: int, **values: Any) -> dict[str, Any]:
    named = {"review_id": f"{number:032x}", "text": f"texte {number}", "title": "t", "author": "a", "item_title": "i"}
    return {"file_no": 0, "record_no": number, "novelty": "new", "scored_at": NOON, **named, **values}


@pytest.mark.parametrize(
    ("stored_as", "options"),
    [
        (pa.timestamp("ns"), {"use_deprecated_int96_timestamps": True}),
        (pa.timestamp("us"), {}),
        (pa.timestamp("ms"), {}),
        (pa.timestamp("us", "UTC"), {}),
        (pa.timestamp("us", "Europe/Paris"), {}),
        (pa.timestamp("ns", "America/New_York"), {}),
    ],
    ids=str,
)
def test_a_time_is_the_same_instant_however_parquet_has_it(
    stored_as: pa.DataType, options: dict[str, Any], workspace: Workspace, attempt: Attempt
) -> None:
    instant = NOON.replace(microsecond=123000)
    table = pa.Table.from_pylist([review(1, scored_at=instant)], STAGED["review"].arrow())
    number = table.column_names.index("scored_at")
    table = table.set_column(number, "scored_at", table.column("scored_at").cast(stored_as))
    part = write(workspace, "review", [], table=table, **options)
    loading.stage(attempt, workspace, tables(workspace, review=part))
    assert [row["scored_at"] for row in staged(attempt, "review")] == [instant]


def test_a_time_after_2262_as_spark_writes_it(workspace: Workspace) -> None:
    """96 bits hold it, nanoseconds in 64 don't."""
    far = datetime(2600, 1, 1, tzinfo=UTC)
    table = pa.Table.from_pylist([review(1, scored_at=far)], STAGED["review"].arrow())
    part = write(workspace, "review", [], table=table, use_deprecated_int96_timestamps=True)
    (batch,) = workspace.batches(part.files, {"scored_at"}, 10)
    assert loading.staged_batch(batch, pa.schema([STAGED["review"].staged_arrow().field("scored_at")])).to_pylist() == [
        {"scored_at": far}
    ]


def test_columns_of_other_types_are_cast_exactly_or_refused(workspace: Workspace, attempt: Attempt) -> None:
    table = pa.Table.from_pylist([review(1)], STAGED["review"].arrow())
    numbers = {"record_no": pa.array([7], pa.int32()), "text": pa.array(["é"], pa.large_string())}
    for name, values in numbers.items():
        table = table.set_column(table.column_names.index(name), name, values)
    loading.stage(attempt, workspace, tables(workspace, review=write(workspace, "review", [], table=table)))
    assert [(row["record_no"], row["text"]) for row in staged(attempt, "review")] == [(7, "é")]
    too_large = table.set_column(table.column_names.index("polarity"), "polarity", pa.array([2**40], pa.int64()))
    with pytest.raises(pa.ArrowInvalid, match="not in range"):
        loading.stage(
            attempt_after(attempt), workspace, tables(workspace, review=write(workspace, "review", [], table=too_large))
        )


def attempt_after(attempt: Attempt) -> Attempt:
    """Return an attempt that no row records, with the next token: its tables are its own."""
    return replace(attempt, token=attempt.token + 1)


@pytest.mark.parametrize(
    ("stored", "without_text"),
    [(KNOWN, [2]), (SHOWN, [3]), (None, [])],
    ids=["a night", "a rescored night", "superseding"],
)
def test_what_the_tables_hold_already_leaves_its_texts_out(
    stored: Stored | None, without_text: list[int], workspace: Workspace, attempt: Attempt
) -> None:
    rows = [
        review(1, is_shown=False),
        review(2, novelty="known", is_shown=False),
        review(3, novelty="changed", is_shown=True),
    ]
    schema = STAGED["review"].arrow().append(pa.field("is_shown", pa.bool_()))
    part = write(workspace, "review", [], table=pa.Table.from_pylist(rows, schema))
    loading.stage(attempt, workspace, tables(workspace, review=Rows([part], stored)))
    rows = staged(attempt, "review")
    assert [row["record_no"] for row in rows if row["text"] is None] == without_text
    for row in rows:
        assert (row["title"] is None, row["author"] is None) == (row["text"] is None, row["text"] is None)
        assert row["item_title"] == "i"


def test_rows_come_in_the_order_of_files_and_rows(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "BATCH_ROWS", 3)
    parts = [
        write(workspace, "review", [review(n) for n in range(first, first + 10)], row_group_size=4) for first in (0, 10)
    ]
    batches = list(workspace.batches(workspace.files_of(parts), {"record_no"}, 3))
    assert [n for batch in batches for n in batch.column("record_no").to_pylist()] == list(range(20))
    assert max(batch.num_rows for batch in batches) == 3
    assert sum(map(workspace.count, parts)) == 20


def test_progress_and_the_moment_of_loading_are_noted(
    workspace: Workspace, attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "BATCH_ROWS", 4)
    reached: list[tuple[str, int]] = []
    monkeypatch.setattr(phases, "reached", lambda phase: reached.append((phase, attempt.rows_done)))
    part = write(workspace, "review", [review(n) for n in range(10)])
    refused = write(workspace, "quarantine", rows_of_every_value("quarantine"))
    loading.stage(attempt, workspace, tables(workspace, review=part, quarantine=refused))
    assert (attempt.rows_done, attempt.rows_total) == (10, 10)
    assert attempt.pace["rows_per_s"] > 0
    assert reached == [("loading", 0), ("loading", 4), ("loading", 8)]


def test_memory_does_not_grow_with_the_rows(
    workspace: Workspace, attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [review(n, text=f"{n:032x}" * 30) for n in range(40_000)]
    table = pa.Table.from_pylist(rows, STAGED["review"].arrow())
    part, n_bytes = write(workspace, "review", [], table=table, row_group_size=5_000, compression="none"), table.nbytes
    del rows, table
    monkeypatch.setattr(loading, "BATCH_ROWS", 500)
    before, most, original = pa.total_allocated_bytes(), 0, loading.staged_batch

    def watched(*arguments: Any) -> pa.RecordBatch:
        nonlocal most
        most = max(most, pa.total_allocated_bytes() - before)
        return original(*arguments)

    monkeypatch.setattr(loading, "staged_batch", watched)
    loading.stage(attempt, workspace, tables(workspace, review=part))
    assert 0 < most < n_bytes / 3
    assert n_staged(attempt, "review") == 40_000


def n_staged(attempt: Attempt, kind: str) -> int:
    query = f"SELECT count(*) FROM {Staging(attempt.run_id, attempt.token).table(kind)}"  # noqa: S608
    with transaction() as c:
        return int(c.exec_driver_sql(query).scalar_one())


def test_a_part_that_cannot_be_read_leaves_every_table_empty(workspace: Workspace, attempt: Attempt) -> None:
    refused, gone = write(workspace, "quarantine", rows_of_every_value("quarantine")), write(workspace, "review", [])
    damaged = write(workspace, "review", [review(n) for n in range(9)])
    shutil.rmtree(Path(workspace.local(gone.files[0])).parent)
    path = Path(workspace.local(damaged.files[0]))
    path.write_bytes(path.read_bytes()[:-20])
    for part, reason in ((gone, "is committed but gone"), (damaged, "damaged")):
        with pytest.raises(InfrastructureError, match=reason):
            loading.stage(attempt, workspace, tables(workspace, quarantine=refused, review=part))
        assert [n_staged(attempt, kind) for kind in STAGED] == [0] * len(STAGED)
        Staging(attempt.run_id, attempt.token).drop()
    with pytest.raises(InfrastructureError, match="no committed part"):
        loading.stage(attempt, workspace, tables(workspace, review=Rows([])))


class Interrupted(BaseException):
    """Stands for the signal that ends a task."""


def test_what_ends_a_task_is_raised_as_it_is(
    workspace: Workspace, attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: str) -> None:
        raise Interrupted

    monkeypatch.setattr(phases, "reached", interrupt)
    with pytest.raises(Interrupted):
        loading.stage(attempt, workspace, tables(workspace, review=write(workspace, "review", [review(1)])))
    assert n_staged(attempt, "review") == 0


def test_tables_that_a_newer_attempt_dropped(
    workspace: Workspace, attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Staging.create

    def create_and_be_overtaken(staging: Staging) -> None:
        original(staging)
        with attempts.attempt(attempt.run_id, attempt.step) as newer:
            original(Staging(newer.run_id, newer.token))
            Staging(newer.run_id, newer.token).drop()

    monkeypatch.setattr(Staging, "create", create_and_be_overtaken)
    with pytest.raises(StaleAttemptError):
        loading.stage(attempt, workspace, tables(workspace))


def test_a_table_that_a_stopped_attempt_still_loads_stays(workspace: Workspace, attempt: Attempt) -> None:
    stopped, newer = Staging(attempt.run_id, attempt.token), Staging(attempt.run_id, attempt.token + 1)
    stopped.create()
    with bulk_transaction() as loads:
        with loads.cursor() as cursor:
            rows = pa.table({"file_no": pa.array([0], pa.int32())})
            cursor.adbc_ingest(stopped.name("review"), rows, "append", db_schema_name="staging")
        began = time.monotonic()
        newer.create()
        assert time.monotonic() - began < settings.load().lock_timeout_s / 2
        assert tables_of(attempt) == {stopped.name("review"), *map(newer.name, STAGED)}
    newer.drop()
    assert tables_of(attempt) == set()


def tables_of(attempt: Attempt) -> set[str]:
    query = "SELECT tablename FROM pg_tables WHERE schemaname = 'staging' AND strpos(tablename, :run) > 0"
    with transaction() as c:
        return set(c.execute(sa.text(query), {"run": attempt.run_id.replace("-", "_")}).scalars())
