"""How a file is written: its format by its first bytes, its columns by its header or first records."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from sentiment.dump import parquet, records
from sentiment.dump.encoding import ENCODINGS, Encoding, wide_encoding_of
from sentiment.dump.records import MAX_COLUMNS, Record
from sentiment.dump.stream import DumpStream
from sentiment.errors import DumpRefusedError, DumpUnreadableError, quoted
from sentiment.runs.model import Layout

JSON_FORMATS = ("jsonl", "json", "parquet")
"""Formats whose records are JSON objects once they are received."""
FORMATS = (*JSON_FORMATS, "csv")
"""Formats of a dump's file."""
SNIFFED_RECORDS = 100
"""Records of a JSON file whose keys are its columns."""
DELIMITERS = ",;\t|"
CONTROLS = bytes({*range(32)} - {*b"\t\n\r\f"})
# Largest share of control characters in the first 8 KiB of a text file; a stray one is left to its record's rule.
BINARY_SHARE = 0.05
BINARY_SIGNATURES = (b"PK\x03\x04", b"%PDF", b"\xfd7zX", b"7z\xbc\xaf")
QUOTED = re.compile(r'"(?:[^"]|"")*"')


def sniff_format(stream: DumpStream) -> str:
    """Return one of `FORMATS` by the first bytes; raise DumpUnreadableError for any other file."""
    path, head = stream.path, stream.head()
    text = head.lstrip()
    if not text:
        raise DumpUnreadableError(f"{path} is empty.", f"ls -la {quoted(path)}")
    if text[:4] == b"PAR1":
        return "parquet"
    wide = wide_encoding_of(head)
    if wide:
        raise DumpUnreadableError(
            f"{path} is {wide.upper()}, and was read as {stream.encoding.name}.",
            f"make nightly DUMP={quoted(path)} ENCODING={wide}",
        )
    n_controls = len(head) - len(head.translate(None, CONTROLS))
    if n_controls > BINARY_SHARE * len(head) or text[:4] in BINARY_SIGNATURES:
        raise DumpUnreadableError(
            f"{path} is binary; JSON lines, a JSON array, CSV or Parquet is needed, plain or as gzip, bzip2 or zstd.",
            f"head -c 100 {quoted(path)} | od -c",
        )
    return {b"[": "json", b"{": "jsonl"}.get(text[:1], "csv")


def open_records(stream: DumpStream, file_format: str) -> tuple[Layout, Iterator[Record]]:
    """Return a file's layout and its records, which are read when iterated.

    `file_format` is one of `sniff_format`. Raises DumpRefusedError for a file without columns, with a column named
    twice or with too many columns; DumpUnreadableError for a damaged one.
    """
    encoding = stream.encoding.name
    if file_format == "csv":
        layout = _csv_layout(stream)
        cuts = records.csv_records(stream, layout.delimiter, len(layout.columns))
        return layout, records.numbered(cuts, stream, layout.delimiter)
    if file_format == "parquet":
        columns, rows = parquet.open_rows(stream)
        _check_once(columns, stream.path, "write it anew without")
        return _bounded(Layout(file_format, columns), stream.path), rows
    cuts = records.array_elements(stream) if file_format == "json" else records.lines(stream)
    numbered = records.numbered(cuts, stream, delimiter=None)
    first = list(islice(numbered, SNIFFED_RECORDS))
    keys = list(dict.fromkeys(key for record in first for key in _keys(record, stream.encoding)))
    if not keys:
        raise DumpRefusedError(
            f"{stream.path} has no JSON object in its first {len(first)} records.",
            f"head -c 300 {quoted(stream.path)}",
        )
    return _bounded(Layout(file_format, keys, encoding=encoding), stream.path), chain(first, numbered)


def _keys(record: Record, encoding: Encoding) -> list[str]:
    if record.problem:
        return []
    return list(json.loads(record.raw.decode(encoding.record_codec)))


def _bounded(layout: Layout, path: Path) -> Layout:
    """Return the layout; raise DumpRefusedError where it has too many columns."""
    if len(layout.columns) > MAX_COLUMNS:
        raise DumpRefusedError(
            f"{path} has {len(layout.columns):,} columns; at most {MAX_COLUMNS:,} are read.",
            f"head -c 300 {quoted(path)}",
        )
    return layout


def _csv_layout(stream: DumpStream) -> Layout:
    path = stream.path
    header = next((raw for _, raw, _, _ in stream.lines() if raw.strip()), b"")
    try:
        text = header.decode(stream.encoding.record_codec)
    except UnicodeDecodeError as error:
        raise DumpRefusedError(
            f"{path}: the header is not {stream.encoding.name} ({error}).",
            f"make nightly DUMP={quoted(path)} ENCODING=… (one of {', '.join(ENCODINGS)})",
        ) from error
    # A comma inside a quoted name must not make a semicolon file one of commas.
    bare = QUOTED.sub("", text)
    delimiter = max(DELIMITERS, key=bare.count)
    try:
        names = [name.strip() for name in next(csv.reader([text], delimiter=delimiter))]
    except csv.Error as error:
        raise DumpRefusedError(
            f"{path}: the first line is no header of a CSV ({error}); expected column names, and lines that end in a "
            "line feed.",
            f"head -c 300 {quoted(path)}",
        ) from error
    _check_once([name for name in names if name], path, f"head -n 1 {quoted(path)}")
    return _bounded(Layout("csv", names, delimiter, stream.encoding.name), path)


def _check_once(names: list[str], path: Path, try_next: str) -> None:
    # The names are a dictionary's keys from here on, which would drop one column unnoticed.
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        names_twice = ", ".join(double)
        raise DumpRefusedError(f"{path}: columns named twice: {names_twice}.", try_next, content=names_twice)
