"""Receive a dump: every record, numbered and with its exact bytes, goes to the part `received` of the workspace."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from sentiment.dump import profiles
from sentiment.dump.encoding import UTF8, Encoding, Suggestion, find_encoding
from sentiment.dump.layout import open_records, sniff_format
from sentiment.dump.locate import locate, manifest_night
from sentiment.dump.profiles import Profile
from sentiment.dump.records import ENCODING_PROBLEMS, Record
from sentiment.dump.stream import DumpStream
from sentiment.errors import DumpUnreadableError, quoted
from sentiment.runs.handoff import ReceivedDump
from sentiment.runs.model import DumpFile, Layout, Reading
from sentiment.schemas import RECEIVED
from sentiment.settings import Settings
from sentiment.workspace import Part, Workspace

SCHEMA = RECEIVED.arrow()
BEST_FITTING = Reading()
# Raise it when the same bytes would be cut into other records: dumps received before are then received again.
CUTTING_VERSION = 2
BATCH_BYTES = 8 << 20
"""Bytes of records after which a batch is written to Parquet."""


@dataclass(frozen=True)
class Dump:
    """A received dump, and how its records are to be read."""

    dump_id: str
    """SHA-256 over the sorted SHA-256 of its files: names and folders don't count."""
    uri: str
    files: list[DumpFile]
    layouts: list[Layout]
    """One for each file, by `file_no`."""
    profile: Profile
    key: str
    """Key of its records in the part `received`."""
    manifest_night: date | None
    """The night that its `manifest.json` names; None without one."""

    @property
    def columns(self) -> list[str]:
        """Return the columns of all files, each once."""
        return _columns(self.layouts)

    @property
    def mapped(self) -> dict[str, str]:
        """Return column of the contract -> column of the dump that it is read from."""
        return self.profile.mapping(self.columns)

    @property
    def n_records(self) -> int:
        """Return the number of records of all files."""
        return sum(file.n_records for file in self.files)

    def handoff(self) -> ReceivedDump:
        """Return what the steps that read the records go by; what was requested of the night is not set yet."""
        return ReceivedDump(
            layouts=self.layouts,
            profile=self.profile.model_dump(mode="json"),
            received_key=self.key,
            manifest_night=self.manifest_night,
        )


def received_key(dump_id: str, encoding: Encoding) -> str:
    """Return the key of a dump's records in the part `received`: another encoding cuts other records."""
    return f"dump={dump_id}/as={encoding.name}.{CUTTING_VERSION}"


def receive(uri: str, config: Settings, workspace: Workspace, reading: Reading = BEST_FITTING) -> Dump:
    """Read every file once, write its records to the part `received`, and return the dump.

    Records that were received before are not written again. Raises ParameterError, DumpNotFoundError,
    DumpUnreadableError or DumpRefusedError; then nothing is committed.
    """
    candidates, encoding = profiles_and_encoding(reading, config)
    attempt = f"received/attempt={uuid4().hex}"
    paths = locate(uri)
    # Before any file is read: a faulty manifest should not cost an hour.
    dated = manifest_night(paths)
    receiver = _Receiver(config, workspace, attempt, encoding, candidates)
    received = [receiver.receive_file(n, path) for n, path in enumerate(paths)]
    dump_id = hashlib.sha256("\n".join(sorted(f.sha256 for f, _ in received)).encode()).hexdigest()
    key = received_key(dump_id, encoding)
    earlier = workspace.committed("received", key)
    if earlier:
        # The earlier files stay, since a run may be reading them.
        workspace.filesystem.delete_dir(workspace.local(attempt))
        received = _numbered_as(earlier[0].checksum.split(), received)
    files, layouts = [f for f, _ in received], [layout for _, layout in received]
    profile = _one_profile(layouts, candidates, reading.source, uri)
    if not earlier:
        # Token 0: a dump is received before its run is opened, so no attempt has drawn a token yet.
        order = " ".join(f.sha256 for f in files)
        workspace.commit(
            "received", key, 0, Part(workspace.list_files(attempt), sum(f.n_records for f in files), order)
        )
    return Dump(dump_id, uri, files, layouts, profile, key, dated)


def _numbered_as(order: list[str], files: list[tuple[DumpFile, Layout]]) -> list[tuple[DumpFile, Layout]]:
    """Return the files numbered in the order of `order`, their SHA-256 when their records were received."""
    # Files that were renamed since sort otherwise, but the stored records have the numbers of then.
    ordered = sorted(files, key=lambda one: order.index(one[0].sha256))
    return [(replace(file, file_no=number), layout) for number, (file, layout) in enumerate(ordered)]


def received_before(
    dump_id: str, uri: str, files: list[DumpFile], then: ReceivedDump, config: Settings, reading: Reading
) -> Dump:
    """Return a dump that was received before, to be read as today's profiles say.

    Its records are those of `then` only where `key` is `then.received_key`. Raises ParameterError or
    DumpRefusedError.
    """
    candidates, encoding = profiles_and_encoding(reading, config)
    profile = _one_profile(then.layouts, candidates, reading.source, uri)
    return Dump(dump_id, uri, files, then.layouts, profile, received_key(dump_id, encoding), then.manifest_night)


def profiles_and_encoding(reading: Reading, config: Settings) -> tuple[list[Profile], Encoding]:
    """Return the source profiles that may fit, and the encoding to read by.

    The encoding is the requested one, else that of the profile that is requested by name, else UTF-8. Raises
    ParameterError for an unknown profile or encoding.
    """
    if reading.profile:
        profile = profiles.get_profile(reading.profile, config.sources)
        return [profile], find_encoding(reading.encoding or profile.encoding)
    return list(profiles.known(config.sources).values()), find_encoding(reading.encoding or UTF8.name)


def _columns(layouts: list[Layout]) -> list[str]:
    return list(dict.fromkeys(name for layout in layouts for name in layout.columns))


def _one_profile(layouts: list[Layout], candidates: list[Profile], source: str, uri: str) -> Profile:
    """Return the profile of all files; raise DumpRefusedError for a file without the text's column by it."""
    profile = profiles.best_fitting(_columns(layouts), candidates, source, uri)
    for layout in layouts:
        if "text" not in profile.mapping(layout.columns):
            raise profiles.missing_text_column(layout.columns, [profile], f"a {layout.format} file of {uri}")
    return profile


class _Receiver:
    """Writes the records of one dump's files, one file after the other, into the folder of one attempt."""

    def __init__(
        self, config: Settings, workspace: Workspace, attempt: str, encoding: Encoding, candidates: list[Profile]
    ) -> None:
        self._config, self._workspace, self._attempt = config, workspace, attempt
        self._encoding, self._candidates = encoding, candidates

    def receive_file(self, file_no: int, path: Path) -> tuple[DumpFile, Layout]:
        stream = DumpStream(path, self._config.max_decompression_ratio, self._config.max_record_bytes, self._encoding)
        file_format = sniff_format(stream)
        suggestion = Suggestion()
        layout, records = open_records(stream, file_format)
        # Raises where no profile has the text: a dump that can't be used is refused before it is read.
        profiles.best_fitting(layout.columns, self._candidates, "", str(path))
        n_records = self._write(_with_suggestion(records, suggestion), file_no)
        if n_records == 0:
            raise DumpUnreadableError(f"{path} has a header and no record.", f"head -c 300 {quoted(path)}")
        n_bytes, sha256 = stream.finish()
        layout = replace(layout, suggested_encoding=suggestion.best)
        uri = str(path) if "://" in str(path) else str(path.resolve())
        return DumpFile(file_no, uri, sha256, file_format, stream.compression, n_bytes, n_records), layout

    def _write(self, records: Iterator[Record], file_no: int) -> int:
        target = self._workspace.local(f"{self._attempt}/file-{file_no:05d}.parquet")
        self._workspace.filesystem.create_dir(target.rsplit("/", 1)[0], recursive=True)
        total = 0
        with pq.ParquetWriter(target, SCHEMA, filesystem=self._workspace.filesystem, compression="zstd") as writer:
            for batch in _batches(records):
                writer.write_batch(_as_arrow(batch, file_no))
                total += len(batch)
        return total


def _with_suggestion(records: Iterator[Record], suggestion: Suggestion) -> Iterator[Record]:
    for record in records:
        if record.problem in ENCODING_PROBLEMS:
            suggestion.add(record.raw)
        yield record


def _batches(records: Iterator[Record]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    size = 0
    for record in records:
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
