"""Take a dump in: every record, numbered and as it came, in the lake's `received` dataset."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain, islice
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from sentiment.dump import parquet, profiles, records
from sentiment.dump.encoding import ENCODINGS, UTF8, Encoding, Suggestion, find_encoding, wide_encoding_of
from sentiment.dump.locate import locate, manifest_night
from sentiment.dump.profiles import Profile
from sentiment.dump.records import ENCODING_PROBLEMS, MAX_COLUMNS, Record
from sentiment.dump.stream import DumpStream
from sentiment.errors import DumpRefusedError, DumpUnreadableError
from sentiment.runs.handoff import ReceivedDump
from sentiment.runs.model import DumpFile, Layout, Reading
from sentiment.schemas import RECEIVED
from sentiment.settings import Settings
from sentiment.workspace import Part, Workspace

SCHEMA = RECEIVED.arrow()
BEST_FITTING = Reading()
CUTTING_VERSION = 2
"""Raise it when the same bytes would be cut into other records: what was received before is then received again."""
BATCH_BYTES = 8 << 20
SNIFFED_RECORDS = 100
DELIMITERS = ",;\t|"
CONTROLS = bytes({*range(32)} - {*b"\t\n\r\f"})
BINARY_SHARE = 0.05
"""A text may hold a stray control character, which its row is quarantined for; a head full of them is no text."""
JSON_FORMATS = ("jsonl", "json", "parquet")
"""Formats whose records are JSON objects by the time they are in the lake."""


@dataclass(frozen=True)
class Dump:
    """A received dump: identity, files, how to read its records, and the night its manifest names."""

    dump_id: str
    uri: str
    files: list[DumpFile]
    layouts: list[Layout]
    profile: Profile
    key: str
    manifest_night: date | None

    @property
    def columns(self) -> list[str]:
        """Columns of all its files."""
        return _columns(self.layouts)

    @property
    def mapped(self) -> dict[str, str]:
        """Which of them each column of the contract is read from."""
        return self.profile.mapping(self.columns)

    @property
    def n_records(self) -> int:
        """Records of all its files."""
        return sum(file.n_records for file in self.files)

    def handoff(self) -> ReceivedDump:
        """Return what the steps that read the records go by."""
        return ReceivedDump(
            layouts=self.layouts,
            profile=self.profile.model_dump(mode="json"),
            received_key=self.key,
            manifest_night=self.manifest_night,
        )


def received_key(dump_id: str, encoding: Encoding) -> str:
    """Where a dump's records lie in the lake: another encoding cuts other records."""
    return f"dump={dump_id}/as={encoding.name}.{CUTTING_VERSION}"


def receive(uri: str, config: Settings, workspace: Workspace, reading: Reading = BEST_FITTING) -> Dump:
    """Read every file once, keep its records, and name the dump by what it holds.

    Raises ParameterError, DumpNotFoundError, DumpUnreadableError or DumpRefusedError; then nothing is committed.
    """
    candidates, encoding = readable_as(reading, config)
    attempt = f"received/attempt={uuid4().hex}"
    paths = locate(uri)
    dated = manifest_night(paths)
    taking = _Taking(config, workspace, attempt, encoding, candidates)
    taken = [taking.take(n, path) for n, path in enumerate(paths)]
    dump_id = hashlib.sha256("\n".join(sorted(f.sha256 for f, _ in taken)).encode()).hexdigest()
    key = received_key(dump_id, encoding)
    there = workspace.committed("received", key)
    if there:
        workspace.filesystem.delete_dir(workspace.local(attempt))
        taken = _numbered_as(there[0].checksum.split(), taken)
    files, layouts = [f for f, _ in taken], [layout for _, layout in taken]
    profile = _one_profile(layouts, candidates, reading.source, uri)
    if not there:
        order = " ".join(f.sha256 for f in files)
        workspace.commit(
            "received", key, 0, Part(workspace.list_files(attempt), sum(f.n_records for f in files), order)
        )
    return Dump(dump_id, uri, files, layouts, profile, key, dated)


def _numbered_as(order: list[str], taken: list[tuple[DumpFile, Layout]]) -> list[tuple[DumpFile, Layout]]:
    """The files in the order in which their records were received: they may have been renamed since."""
    again = sorted(taken, key=lambda one: order.index(one[0].sha256))
    return [(replace(file, file_no=number), layout) for number, (file, layout) in enumerate(again)]


def received_before(
    dump_id: str, uri: str, files: list[DumpFile], then: ReceivedDump, config: Settings, reading: Reading
) -> Dump:
    """Return a dump that was received before, to be read as today's profiles say.

    Its records are those of `then` only where `key` is `then.received_key`. Raises ParameterError or
    DumpRefusedError.
    """
    candidates, encoding = readable_as(reading, config)
    profile = _one_profile(then.layouts, candidates, reading.source, uri)
    return Dump(dump_id, uri, files, then.layouts, profile, received_key(dump_id, encoding), then.manifest_night)


def readable_as(reading: Reading, config: Settings) -> tuple[list[Profile], Encoding]:
    """The profiles that may fit, and the encoding: what was asked for, else what a profile asked for by name says,
    else UTF-8. Raises ParameterError for names that there are none of."""
    if reading.profile:
        profile = profiles.get_profile(reading.profile, config.sources)
        return [profile], find_encoding(reading.encoding or profile.encoding)
    return list(profiles.known(config.sources).values()), find_encoding(reading.encoding or UTF8.name)


def _columns(layouts: list[Layout]) -> list[str]:
    return list(dict.fromkeys(name for layout in layouts for name in layout.columns))


def _one_profile(layouts: list[Layout], candidates: list[Profile], source: str, uri: str) -> Profile:
    """The profile for the whole dump; every file must have the text's column by it."""
    profile = profiles.best_fitting(_columns(layouts), candidates, source, uri)
    for layout in layouts:
        if "text" not in profile.mapping(layout.columns):
            raise profiles.missing_text_column(layout.columns, [profile], f"a {layout.format} file of {uri}")
    return profile


class _Taking:
    """Takes the files of one dump, one after the other, into the folder of one attempt."""

    def __init__(
        self, config: Settings, workspace: Workspace, attempt: str, encoding: Encoding, candidates: list[Profile]
    ) -> None:
        self._config, self._lake, self._attempt = config, workspace, attempt
        self._encoding, self._candidates = encoding, candidates

    def take(self, file_no: int, path: Path) -> tuple[DumpFile, Layout]:
        stream = DumpStream(path, self._config.max_decompression_ratio, self._config.max_record_bytes, self._encoding)
        name = sniff_format(stream)
        suggestion = Suggestion()
        layout, found = opened(stream, name)
        profiles.best_fitting(layout.columns, self._candidates, "", str(path))
        n_records = self._write(_looked_at(found, suggestion), file_no)
        if n_records == 0:
            raise DumpUnreadableError(f"{path} has a header and no record.", f"head -c 300 {path}")
        n_bytes, sha256 = stream.finish()
        layout = replace(layout, suggested_encoding=suggestion.best)
        uri = str(path) if "://" in str(path) else str(path.resolve())
        return DumpFile(file_no, uri, sha256, name, stream.compression, n_bytes, n_records), layout

    def _write(self, found: Iterator[Record], file_no: int) -> int:
        target = self._lake.local(f"{self._attempt}/file-{file_no:05d}.parquet")
        self._lake.filesystem.create_dir(target.rsplit("/", 1)[0], recursive=True)
        total = 0
        with pq.ParquetWriter(target, SCHEMA, filesystem=self._lake.filesystem, compression="zstd") as writer:
            for batch in _batches(found):
                writer.write_batch(_as_arrow(batch, file_no))
                total += len(batch)
        return total


def sniff_format(stream: DumpStream) -> str:
    """json, jsonl, csv or parquet, by the first bytes; DumpUnreadableError for what is none of them."""
    path, head = stream.path, stream.head()
    text = head.lstrip()
    if not text:
        raise DumpUnreadableError(f"{path} is empty.", f"ls -la {path}")
    if text[:4] == b"PAR1":
        return "parquet"
    wide = wide_encoding_of(head)
    if wide:
        raise DumpUnreadableError(
            f"{path} is {wide.upper()}, and was read as {stream.encoding.name}.",
            f"make nightly DUMP={path} ENCODING={wide}",
        )
    n_controls = len(head) - len(head.translate(None, CONTROLS))
    if n_controls > BINARY_SHARE * len(head) or text[:4] in (b"PK\x03\x04", b"%PDF", b"\xfd7zX", b"7z\xbc\xaf"):
        raise DumpUnreadableError(
            f"{path} is binary; JSON lines, a JSON array, CSV or Parquet is needed, plain or as gzip, bzip2 or zstd.",
            f"file {path}",
        )
    return {b"[": "json", b"{": "jsonl"}.get(text[:1], "csv")


def opened(stream: DumpStream, name: str) -> tuple[Layout, Iterator[Record]]:
    """A file's layout and its records; reads no more than the first of them."""
    encoding = stream.encoding.name
    if name == "csv":
        layout = _csv_layout(stream)
        return layout, records.numbered(
            records.csv_records(stream, layout.delimiter, len(layout.columns)), stream, is_json=False
        )
    if name == "parquet":
        columns, found = parquet.open_rows(stream)
        _check_once(columns, stream.path, "write it anew without")
        return _bounded(Layout(name, columns), stream.path), found
    cuts = records.array_elements(stream) if name == "json" else records.lines(stream)
    found = records.numbered(cuts, stream, is_json=True)
    first = list(islice(found, SNIFFED_RECORDS))
    keys = list(dict.fromkeys(key for record in first for key in _keys(record, stream.encoding)))
    if not keys:
        raise DumpRefusedError(
            f"{stream.path} has no JSON object in its first {len(first)} records.", f"head -c 300 {stream.path}"
        )
    return _bounded(Layout(name, keys, encoding=encoding), stream.path), chain(first, found)


def _keys(record: Record, encoding: Encoding) -> list[str]:
    if record.problem:
        return []
    return list(json.loads(record.raw.decode(encoding.record_codec)))


def _bounded(layout: Layout, path: Path) -> Layout:
    if len(layout.columns) > MAX_COLUMNS:
        raise DumpRefusedError(
            f"{path} has {len(layout.columns):,} columns; at most {MAX_COLUMNS:,} are read.", f"head -c 300 {path}"
        )
    return layout


QUOTED = re.compile(r'"(?:[^"]|"")*"')


def _csv_layout(stream: DumpStream) -> Layout:
    path = stream.path
    header = next((raw for _, raw, _, _ in stream.lines() if raw.strip()), b"")
    try:
        text = header.decode(stream.encoding.record_codec)
    except UnicodeDecodeError as error:
        raise DumpRefusedError(
            f"{path}: the header is not {stream.encoding.name} ({error}).",
            f"make nightly DUMP={path} ENCODING=… (one of {', '.join(ENCODINGS)})",
        ) from error
    bare = QUOTED.sub("", text)
    delimiter = max(DELIMITERS, key=bare.count)
    try:
        names = [name.strip() for name in next(csv.reader([text], delimiter=delimiter))]
    except csv.Error as error:
        raise DumpRefusedError(
            f"{path}: the first line is no header of a CSV ({error}); expected column names, and lines that end in a "
            "line feed.",
            f"head -c 300 {path}",
        ) from error
    _check_once([name for name in names if name], path, f"head -n 1 {path}")
    return _bounded(Layout("csv", names, delimiter, stream.encoding.name), path)


def _check_once(names: list[str], path: Path, try_next: str) -> None:
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        raise DumpRefusedError(f"{path}: columns named twice: {', '.join(double)}.", try_next)


def _looked_at(found: Iterator[Record], suggestion: Suggestion) -> Iterator[Record]:
    for record in found:
        if record.problem in ENCODING_PROBLEMS:
            suggestion.add(record.raw)
        yield record


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
    values = [[file_no] * len(batch), *zip(*batch, strict=True)]
    return pa.RecordBatch.from_arrays(
        [pa.array(v, type=f.type) for v, f in zip(values, SCHEMA, strict=True)], schema=SCHEMA
    )
