"""Receive a dump: every record, numbered and with its exact bytes, goes to the part `received` of the workspace."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain, islice
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from sentiment.dump import archives, items, profiles
from sentiment.dump.cutting import Cutting
from sentiment.dump.encoding import UTF8, Encoding, Suggestion, find_encoding
from sentiment.dump.layout import SNIFFED_RECORDS, open_records, sniff_format
from sentiment.dump.member import Member, address, try_on
from sentiment.dump.profiles import Profile
from sentiment.dump.records import ENCODING_PROBLEMS, Record
from sentiment.dump.stream import DumpStream
from sentiment.errors import DumpUnreadableError
from sentiment.runs.handoff import ReceivedDump
from sentiment.runs.model import DumpFile, Layout, Reading
from sentiment.schemas import RECEIVED
from sentiment.settings import Settings
from sentiment.workspace import Part, Workspace

SCHEMA = RECEIVED.arrow()
BEST_FITTING = Reading()
BATCH_BYTES = 8 << 20
"""Bytes of records after which a batch is written to Parquet."""


@dataclass(frozen=True)
class Dump:
    """A received dump, and how its records are to be read."""

    dump_id: str
    """SHA-256 over the sorted SHA-256 of its files: names and folders don't count, unless names are titles."""
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
        return mapped(self.layouts, self.profile)

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


def received_key(dump_id: str, cutting: Cutting) -> str:
    """Return the key of a dump's records in the part `received`: another encoding, for one, cuts other records."""
    return f"dump={dump_id}/as={cutting.key}"


def receive(
    uri: str, config: Settings, workspace: Workspace, reading: Reading = BEST_FITTING, most: int | None = None
) -> Dump:
    """Read every file once, write its records to the part `received`, and return the dump.

    With `most` only about so many records are read, of each file as many from its beginning; then the dump's id and its
    files' hashes and sizes are those of what was read.

    Records that were received before are not written again. Raises ParameterError, DumpNotFoundError,
    DumpUnreadableError or DumpRefusedError; then nothing is committed.
    """
    candidates, cutting = profiles_and_cutting(reading, config)
    attempt = f"received/attempt={uuid4().hex}"
    with archives.opened(uri, config.max_decompression_ratio) as files_of_dump:
        # Before any file is read: a faulty manifest should not cost an hour.
        dated = archives.manifest_night(files_of_dump)
        most_of_file = most and -(-most // len(files_of_dump))
        receiver = _Receiver(config, workspace, attempt, cutting, candidates, most_of_file)
        received = [receiver.receive_file(n, path) for n, path in enumerate(files_of_dump)]
    profile = _one_profile([layout for _, layout in received], candidates, reading.source, uri)
    named = items.named_by_file([y for _, y in received], [f for f, _ in received], profile)
    received = [(file, layout) for (file, _), layout in zip(received, named, strict=True)]
    dump_id = hashlib.sha256("\n".join(sorted(_file_key(*one) for one in received)).encode()).hexdigest()
    key = received_key(dump_id, cutting)
    earlier = workspace.committed("received", key)
    if earlier:
        # The earlier files stay, since a run may be reading them.
        workspace.filesystem.delete_dir(workspace.local(attempt))
        received = _numbered_as(earlier[0].checksum.split(), received)
    files, layouts = [f for f, _ in received], [layout for _, layout in received]
    if not earlier:
        # Token 0: a dump is received before its run is opened, so no attempt has drawn a token yet.
        order = " ".join(_file_key(*one) for one in received)
        workspace.commit(
            "received", key, 0, Part(workspace.list_files(attempt), sum(f.n_records for f in files), order)
        )
    return Dump(dump_id, uri, files, layouts, profile, key, dated)


def _file_key(file: DumpFile, layout: Layout) -> str:
    """Return what identifies a file in its dump: its SHA-256, with its name where that is a title."""
    if layout.file_title is None:
        return file.sha256
    return hashlib.sha256(f"{file.sha256} {layout.file_title}".encode()).hexdigest()


def _numbered_as(order: list[str], files: list[tuple[DumpFile, Layout]]) -> list[tuple[DumpFile, Layout]]:
    """Return the files numbered in the order of `order`, their keys when their records were received."""
    # Files that were renamed since sort otherwise, but the stored records have the numbers of then.
    ordered = sorted(files, key=lambda one: order.index(_file_key(*one)))
    return [(replace(file, file_no=number), layout) for number, (file, layout) in enumerate(ordered)]


def received_before(
    dump_id: str, uri: str, files: list[DumpFile], then: ReceivedDump, config: Settings, reading: Reading
) -> Dump:
    """Return a dump that was received before, to be read as today's profiles say.

    Its records are those of `then` only where `key` is `then.received_key`. Raises ParameterError or
    DumpRefusedError.
    """
    candidates, cutting = profiles_and_cutting(reading, config)
    profile = _one_profile(then.layouts, candidates, reading.source, uri)
    layouts = items.named_by_file(then.layouts, files, profile)
    return Dump(dump_id, uri, files, layouts, profile, received_key(dump_id, cutting), then.manifest_night)


def profiles_and_cutting(reading: Reading, config: Settings) -> tuple[list[Profile], Cutting]:
    """Return the source profiles that may fit, and how the dump's files are cut into records.

    A profile decides the latter where it is requested by name. Raises ParameterError for an unknown profile or
    encoding.
    """
    candidates, encoding = profiles_and_encoding(reading, config)
    if not reading.profile:
        return candidates, Cutting(encoding)
    profile = candidates[0]
    return candidates, Cutting(encoding, profile.escape, tuple(profile.header), profile.sheet)


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


def mapped(layouts: list[Layout], profile: Profile) -> dict[str, str]:
    """Return column of the contract -> column of the files that the profile reads it from."""
    inferred = {name: to for layout in layouts for name, to in layout.inferred.items()}
    return profile.mapping(_columns(layouts), inferred)


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
        self,
        config: Settings,
        workspace: Workspace,
        attempt: str,
        cutting: Cutting,
        candidates: list[Profile],
        most: int | None = None,
    ) -> None:
        self._config, self._workspace, self._attempt = config, workspace, attempt
        self._cutting, self._candidates, self._most = cutting, candidates, most

    def receive_file(self, file_no: int, path: Path | Member) -> tuple[DumpFile, Layout]:
        bounds = self._config.max_decompression_ratio, self._config.max_record_bytes
        stream = DumpStream(path, *bounds, self._cutting.encoding)
        file_format = sniff_format(stream)
        suggestion = Suggestion()
        layout, records = open_records(stream, file_format, self._cutting, self._candidates)
        # Raises where no profile has the text: a dump that can't be used is refused before it is read.
        profile = profiles.best_fitting(layout.columns, self._candidates, "", str(path))
        first = list(islice(records, SNIFFED_RECORDS))
        inferred = items.inferred(layout, first, profile)
        n_records = self._write(_with_suggestion(islice(chain(first, records), self._most), suggestion), file_no)
        if n_records == 0:
            raise DumpUnreadableError(f"{path} has a header and no record.", try_on("head -c 300", path))
        n_bytes, sha256 = stream.finish(to_end=self._most is None)
        layout = replace(layout, suggested_encoding=suggestion.best, inferred=inferred)
        return DumpFile(file_no, address(path), sha256, file_format, stream.compression, n_bytes, n_records), layout

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
