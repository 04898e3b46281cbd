"""Take a dump in: every record, numbered and as it came, in the lake's `received` dataset."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from sentiment.dump import columns
from sentiment.dump.locate import locate
from sentiment.dump.stream import DumpStream, Record, records
from sentiment.errors import DumpRefusedError, DumpUnreadableError
from sentiment.lake import Lake, Part
from sentiment.ledger import DumpFile
from sentiment.settings import Settings

SCHEMA = pa.schema(
    [
        ("file_no", pa.int32()),
        ("record_no", pa.int64()),
        ("byte_offset", pa.int64()),
        ("raw", pa.binary()),
        ("raw_bytes", pa.int64()),
        ("raw_sha256", pa.string()),
        ("problem", pa.string()),
    ]
)
BATCH_BYTES = 8 << 20
SNIFFED_RECORDS = 100
DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Layout:
    """How a file's records are written: format, and for CSV its header and delimiter."""

    format: str
    columns: list[str]
    delimiter: str = ","


@dataclass(frozen=True)
class Dump:
    """A received dump: identity, files, and how to read its records."""

    dump_id: str
    uri: str
    files: list[DumpFile]
    layouts: list[Layout]


def receive(uri: str, config: Settings, lake: Lake) -> Dump:
    """Read every file once, keep its records, and name the dump by what it holds.

    Raises DumpNotFoundError, DumpUnreadableError or DumpRefusedError; then nothing is committed.
    """
    attempt = f"received/attempt={uuid4().hex}"
    taken = [_receive_file(n, path, config, lake, attempt) for n, path in enumerate(locate(uri))]
    files, layouts = [f for f, _ in taken], [layout for _, layout in taken]
    dump_id = hashlib.sha256("\n".join(sorted(f.sha256 for f in files)).encode()).hexdigest()
    part = Part(lake.list_files(attempt), sum(f.n_records for f in files), "")
    if lake.committed("received", f"dump={dump_id}"):
        lake.filesystem.delete_dir(lake.local(attempt))
    else:
        lake.commit("received", f"dump={dump_id}", 0, part)
    return Dump(dump_id, uri, files, layouts)


def _receive_file(file_no: int, path: Path, config: Settings, lake: Lake, attempt: str) -> tuple[DumpFile, Layout]:
    stream = DumpStream(path, config.max_decompression_ratio, config.max_record_bytes)
    layout_format = _sniff_format(stream, path)
    found = records(stream, quoted=layout_format == "csv")
    layout, found = _layout(layout_format, found, path)
    columns.mapping(layout.columns, str(path))
    n_records = _write(found, file_no, lake, f"{attempt}/file-{file_no:05d}.parquet")
    if n_records == 0:
        raise DumpUnreadableError(f"{path} has a header and no record.", f"head -c 300 {path}")
    n_bytes, sha256 = stream.finish()
    uri = str(path.resolve())
    return DumpFile(file_no, uri, sha256, layout_format, stream.compression, n_bytes, n_records), layout


def _sniff_format(stream: DumpStream, path: Path) -> str:
    head = stream.head()
    text = head.lstrip()
    if not text:
        raise DumpUnreadableError(f"{path} is empty.", f"ls -la {path}")
    if b"\x00" in head or text[:4] in (b"PAR1", b"PK\x03\x04", b"%PDF"):
        raise DumpUnreadableError(
            f"{path} is binary, not text: JSON lines or CSV is needed, plain or gzip.", f"file {path}"
        )
    if text[:1] == b"[":
        raise DumpUnreadableError(
            f"{path} is one JSON array; one JSON object a line is needed.",
            f"jq -c '.[]' {path} > {path.with_suffix('.jsonl')}",
        )
    return "jsonl" if text[:1] == b"{" else "csv"


def _layout(name: str, found: Iterator[Record], path: Path) -> tuple[Layout, Iterator[Record]]:
    if name == "csv":
        return _csv_layout(next(found), path), found
    first = list(islice(found, SNIFFED_RECORDS))
    keys = list(dict.fromkeys(key for record in first for key in _keys(record.raw)))
    if not keys:
        raise DumpRefusedError(f"{path} has no JSON object in its first {len(first)} records.", f"head -c 300 {path}")
    return Layout(name, keys), chain(first, found)


def _keys(raw: bytes) -> list[str]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return []
    return list(value) if isinstance(value, dict) else []


def _csv_layout(header: Record, path: Path) -> Layout:
    try:
        text = header.raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DumpRefusedError(f"{path}: the header is not UTF-8 ({error}).", f"file {path}") from error
    delimiter = max(DELIMITERS, key=text.count)
    names = next(csv.reader([text], delimiter=delimiter))
    double = sorted({n for n in names if names.count(n) > 1})
    if double:
        raise DumpRefusedError(f"{path}: columns named twice: {', '.join(double)}.", f"head -n 1 {path}")
    return Layout("csv", names, delimiter)


def _write(found: Iterator[Record], file_no: int, lake: Lake, relative: str) -> int:
    target = lake.local(relative)
    lake.filesystem.create_dir(target.rsplit("/", 1)[0], recursive=True)
    total = 0
    with pq.ParquetWriter(target, SCHEMA, filesystem=lake.filesystem, compression="zstd") as writer:
        for batch in _batches(found):
            writer.write_batch(_as_arrow(batch, file_no))
            total += len(batch)
    return total


def _batches(found: Iterator[Record]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    size = 0
    for record in found:
        batch.append(record)
        size += len(record.raw) + 64
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _as_arrow(batch: list[Record], file_no: int) -> pa.RecordBatch:
    values = [
        [file_no] * len(batch),
        *([getattr(r, name) for r in batch] for name in SCHEMA.names[1:]),
    ]
    return pa.RecordBatch.from_arrays(
        [pa.array(v, type=f.type) for v, f in zip(values, SCHEMA, strict=True)], schema=SCHEMA
    )


def layouts_of(detail: dict[str, list[dict[str, object]]]) -> list[Layout]:
    """The layouts that `find_dump` wrote into its step's detail."""
    return [Layout(**layout) for layout in detail["layouts"]]  # type: ignore[arg-type]
