"""How a file is written: its format by its first bytes, its columns by its header or first records."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from itertools import chain, islice
from pathlib import Path

from sentiment.dump import archives, documents, header, parquet, paths, records, workbook
from sentiment.dump.cutting import Cutting
from sentiment.dump.encoding import Encoding, wide_encoding_of
from sentiment.dump.foreign import refuse_foreign
from sentiment.dump.member import Member, listing, try_on
from sentiment.dump.profiles import Profile
from sentiment.dump.records import MAX_COLUMNS, Record
from sentiment.dump.stream import DumpStream
from sentiment.errors import DumpRefusedError, DumpUnreadableError
from sentiment.runs.model import Layout

JSON_FORMATS = ("jsonl", "json", "parquet", "xlsx")
"""Formats whose records are JSON objects once they are received."""
FORMATS = (*JSON_FORMATS, "csv")
"""Formats of a dump's file."""
SNIFFED_RECORDS = 100
"""Records of a JSON file whose keys are its columns."""
CONTROLS = bytes({*range(32)} - {*b"\t\n\r\f"})
# Largest share of control characters in the first 8 KiB of a text file; a stray one is left to its record's rule.
BINARY_SHARE = 0.05


def sniff_format(stream: DumpStream) -> str:
    """Return one of `FORMATS` by the first bytes; raise DumpUnreadableError for any other file."""
    path, head = stream.path, stream.head()
    text = head.lstrip()
    if not text:
        raise DumpUnreadableError(f"{path} is empty.", listing(path))
    if text[:4] == b"PAR1":
        return "parquet"
    if text[:4] in archives.MAGIC:
        return "xlsx"
    refuse_foreign(path, head)
    wide = wide_encoding_of(head)
    if wide:
        raise DumpUnreadableError(
            f"{path} is {wide.upper()}, and was read as {stream.encoding.name}.",
            f"make nightly DUMP=… ENCODING={wide}",
        )
    n_controls = len(head) - len(head.translate(None, CONTROLS))
    if n_controls > BINARY_SHARE * len(head):
        raise DumpUnreadableError(
            f"{path} is binary; JSON lines, a JSON array, CSV, Parquet or .xlsx is needed, plain or as gzip, bzip2, "
            "zstd or zip.",
            try_on("head -c 100", path) + " | od -c",
        )
    if text[:1] == b"{":
        return "json" if documents.opening(stream) else "jsonl"
    return "json" if text[:1] == b"[" else "csv"


def open_records(
    stream: DumpStream, file_format: str, cutting: Cutting, candidates: Collection[Profile]
) -> tuple[Layout, Iterator[Record]]:
    """Return a file's layout and its records, which are read when iterated.

    `file_format` is one of `sniff_format`; `candidates` are the profiles by whose names a header is known. Raises
    DumpRefusedError for a file without columns, with a column named twice or with too many columns, and for a table
    whose first row is a review; DumpUnreadableError for a damaged one.
    """
    encoding = stream.encoding.name
    if file_format == "csv":
        layout, lines = header.read_csv(stream, cutting, candidates)
        _check_once([name for name in layout.columns if name], stream.path, try_on("head -n 1", stream.path))
        cuts = records.csv_records(stream, lines, layout)
        return _bounded(layout, len(layout.columns), stream.path), records.numbered(cuts, stream, layout.delimiter)
    if file_format == "xlsx":
        layout, rows = workbook.open_rows(stream, cutting, candidates)
        _check_once(layout.columns, stream.path, listing(stream.path))
        return _bounded(layout, len(layout.columns), stream.path), rows
    if file_format == "parquet":
        columns, rows = parquet.open_rows(stream)
        _check_once(columns, stream.path, "write it anew without")
        return _bounded(Layout(file_format, columns), len(columns), stream.path), rows
    is_array = file_format == "json"
    cuts = records.array_elements(stream, documents.opening(stream)) if is_array else records.lines(stream)
    numbered = records.numbered(cuts, stream, delimiter=None)
    first = list(islice(numbered, SNIFFED_RECORDS))
    objects = (_object(record, stream.encoding) for record in first if not record.problem)
    columns, n_at_top = paths.columns(objects, MAX_COLUMNS)
    if not columns:
        raise DumpRefusedError(
            f"{stream.path} has no JSON object with a value in its first {len(first)} records.",
            try_on("head -c 300", stream.path),
        )
    return _bounded(Layout(file_format, columns, encoding=encoding), n_at_top, stream.path), chain(first, numbered)


def _object(record: Record, encoding: Encoding) -> dict[str, object]:
    value: dict[str, object] = json.loads(record.raw.decode(encoding.record_codec))
    return value


def _bounded(layout: Layout, n_columns: int, path: Path | Member) -> Layout:
    """Return the layout; raise DumpRefusedError where it has too many columns, not counting those in objects."""
    if n_columns > MAX_COLUMNS:
        raise DumpRefusedError(
            f"{path} has {n_columns:,} columns; at most {MAX_COLUMNS:,} are read.",
            try_on("head -c 300", path),
        )
    return layout


def _check_once(names: list[str], path: Path | Member, try_next: str) -> None:
    # The names are a dictionary's keys from here on, which would drop one column unnoticed.
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        names_twice = ", ".join(double)
        raise DumpRefusedError(f"{path}: columns named twice: {names_twice}.", try_next, content=names_twice)
