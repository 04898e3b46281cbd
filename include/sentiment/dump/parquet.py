"""Parquet dumps: every row becomes a JSON object, which is then read like any other record."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from datetime import date, datetime
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from sentiment.dump.member import listing
from sentiment.dump.paths import MAX_DEPTH, Path
from sentiment.dump.records import Record, of_row
from sentiment.dump.stream import DumpStream
from sentiment.errors import DumpRefusedError, DumpUnreadableError

BATCH_ROWS = 1000
# Largest row group read, unpacked: its columns are unpacked as a unit, and a larger one would not fit into memory.
MAX_ROW_GROUP_BYTES = 4 << 30


def open_rows(stream: DumpStream) -> tuple[list[str], Iterator[Record]]:
    """Return the columns' names, dotted of values in structs, and the rows as records; these are read when iterated.

    Raises DumpUnreadableError for a file that is damaged or decompresses too far, DumpRefusedError for row groups that
    don't fit into memory.
    """
    # Parquet is read from its end, which neither a compressed file nor an object store can do in one pass.
    spooled = tempfile.TemporaryFile()  # noqa: SIM115 - the rows are read from it later
    while chunk := stream.chunk():
        spooled.write(chunk)
    try:
        file = pq.ParquetFile(spooled)
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(stream, error) from error
    groups = [file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups)]
    if max(groups, default=0) > MAX_ROW_GROUP_BYTES:
        raise DumpRefusedError(
            f"{stream.path} has a row group of {max(groups):,} bytes; at most {MAX_ROW_GROUP_BYTES:,} are read.",
            "write it anew with smaller row groups",
        )
    return _columns(file.schema_arrow), _rows(file, stream, spooled)


def _columns(schema: pa.Schema) -> list[str]:
    at_top = [field.name for field in schema if not pa.types.is_nested(field.type)]
    in_structs = (".".join(path) for field in schema if pa.types.is_struct(field.type) for path in _paths(field))
    # A column whose own name has dots is read rather than a value in a struct.
    return [*at_top, *(name for name in in_structs if name not in at_top)]


def _paths(field: pa.Field, above: Path = ()) -> Iterator[Path]:
    """Yield the path of each value of a field that is neither list nor map."""
    path = (*above, field.name)
    if pa.types.is_struct(field.type):
        for inner in field.type if len(path) < MAX_DEPTH else ():
            yield from _paths(inner, path)
    elif not pa.types.is_nested(field.type):
        yield path


def _damaged(stream: DumpStream, error: Exception) -> DumpUnreadableError:
    return DumpUnreadableError(f"{stream.path} is damaged or cut short: {error}", listing(stream.path))


def _rows(file: pq.ParquetFile, stream: DumpStream, spooled: IO[bytes]) -> Iterator[Record]:
    number, texts = 0, {path for field in file.schema_arrow for path in _texts(field)}
    try:
        with spooled:
            for batch in file.iter_batches(BATCH_ROWS):
                for row in _undecoded(batch).to_pylist():
                    number += 1
                    yield _record(number, row, texts, stream.max_record_bytes)
    except (ValueError, OSError) as error:
        raise _damaged(stream, error) from error


def _texts(field: pa.Field, above: Path = ()) -> Iterator[Path]:
    path = (*above, field.name)
    if pa.types.is_struct(field.type):
        for inner in field.type:
            yield from _texts(inner, path)
    elif _is_text(field.type):
        yield path


def _undecoded(batch: pa.RecordBatch) -> pa.RecordBatch:
    # Text as bytes and days as text: a value that is not UTF-8, or past year 9999, would fail its 1,000 rows at once.
    return pa.RecordBatch.from_arrays([_unfailing(c) for c in batch.columns], names=batch.schema.names)


def _unfailing(column: pa.Array) -> pa.Array:
    if pa.types.is_struct(column.type):
        # Flattened, a field is null where its struct is.
        inner = [_unfailing(field) for field in column.flatten()]
        names = [field.name for field in column.type]
        return pa.StructArray.from_arrays(inner, names, mask=column.is_null()) if names else column
    if _is_text(column.type):
        return (column.dictionary_decode() if pa.types.is_dictionary(column.type) else column).cast(pa.large_binary())
    return column.cast(pa.string()) if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type) else column


def _is_text(kind: pa.DataType) -> bool:
    values = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(values) or pa.types.is_large_string(values))


def _record(number: int, row: dict[str, Any], texts: set[Path], most_bytes: int) -> Record:
    """Return a row as a record with byte offset 0, since a Parquet row has no position in bytes.

    `texts` are the paths of text columns. In them bytes that are no UTF-8 are a problem; in others, pictures for
    example, they become null.
    """
    bad: list[str] = []
    plain = _plain(row, (), texts, bad)
    raw = json.dumps(plain, ensure_ascii=False, default=_text).encode("utf-8", "surrogatepass")
    problem = ("not_utf8", f"the column {min(bad)} holds no UTF-8") if bad else (None, None)
    return of_row(number, raw, most_bytes, *problem)


def _plain(row: dict[str, Any], above: Path, texts: set[Path], bad: list[str]) -> dict[str, Any]:
    """Return a row whose missing values are null; add the text columns that are no UTF-8 to `bad`."""
    plain: dict[str, Any] = {}
    for name, value in row.items():
        path = (*above, name)
        if isinstance(value, dict):
            plain[name] = _plain(value, path, texts, bad)
        elif isinstance(value, bytes) and not _is_utf8(value):
            plain[name] = value if path in texts else None
            bad += [".".join(path)] * (path in texts)
        else:
            plain[name] = None if value != value else value  # noqa: PLR0124 - NaN is missing
    return plain


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _text(value: object) -> str:
    """Return values that JSON lacks as text: dates in ISO 8601, bytes as UTF-8, all others as Python's str."""
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)
