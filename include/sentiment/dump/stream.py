"""One streaming pass over a file: decompress, hash, bound, and cut into records.

Memory stays within the longest record allowed, whatever the file says.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sentiment.contract import RAW_KEPT_BYTES
from sentiment.errors import DumpUnreadableError

GZIP_MAGIC = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
SNIFFED_BYTES = 8192
RATIO_FREE_BYTES = 64 << 20
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Record:
    """A record as it came: place, bytes (the first 64 KiB where it is too long), size and hash."""

    record_no: int
    byte_offset: int
    raw: bytes
    raw_bytes: int
    raw_sha256: str | None
    problem: str | None


class HashingReader(io.RawIOBase):
    """Passes bytes on while it counts and hashes them."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._sha256 = hashlib.sha256()
        self.n_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        data = self._stream.read(len(view))
        view[: len(data)] = data
        self._sha256.update(data)
        self.n_bytes += len(data)
        return len(data)

    def hexdigest(self) -> str:
        """SHA-256 of what has been read, in hex."""
        return self._sha256.hexdigest()


class DumpStream:
    """The decompressed bytes of one file, line by line, within bounds.

    Raises DumpUnreadableError for an empty or binary file, one cut short, or a decompression bomb.
    """

    def __init__(self, path: Path, max_ratio: float, max_line_bytes: int) -> None:
        self.path = path
        self._max_ratio = max_ratio
        self.max_line_bytes = max_line_bytes
        self._raw = path.open("rb")
        self._hashing = HashingReader(self._raw)
        buffered = io.BufferedReader(self._hashing, CHUNK_BYTES)
        self.compression = "gzip" if buffered.peek(2)[:2] == GZIP_MAGIC else "none"
        plain = gzip.GzipFile(fileobj=buffered) if self.compression == "gzip" else buffered
        self._lines = io.BufferedReader(plain, CHUNK_BYTES)
        self._offset = 0
        self._strip_bom()

    def _strip_bom(self) -> None:
        if self.head()[:3] == BOM:
            self._offset = len(self._lines.read(3))

    def head(self) -> bytes:
        """The first bytes to come, without reading them."""
        try:
            return self._lines.peek(SNIFFED_BYTES)[:SNIFFED_BYTES]
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self._cut_short(error) from error

    def lines(self) -> Iterator[tuple[int, bytes, int, str | None]]:
        """Yield (offset, line without its end, whole size in bytes, SHA-256 where only its head is kept)."""
        while True:
            offset = self._offset
            line = self._read(self.max_line_bytes + 1)
            if not line:
                return
            if len(line) > self.max_line_bytes and not line.endswith(b"\n"):
                yield (offset, line[:RAW_KEPT_BYTES], *self._skip_rest(line))
            else:
                yield offset, line.rstrip(b"\r\n"), len(line), None

    def _skip_rest(self, line: bytes) -> tuple[int, str]:
        digest, size = hashlib.sha256(line), len(line)
        while line and not line.endswith(b"\n"):
            line = self._read(CHUNK_BYTES)
            digest.update(line.rstrip(b"\r\n"))
            size += len(line)
        return size, digest.hexdigest()

    def _read(self, limit: int) -> bytes:
        try:
            line = self._lines.readline(limit)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self._cut_short(error) from error
        self._offset += len(line)
        ratio = self._offset / max(self._hashing.n_bytes, 1)
        if self._offset > RATIO_FREE_BYTES and ratio > self._max_ratio:
            raise DumpUnreadableError(
                f"{self.path} unpacks to more than {self._max_ratio:g} times its size: refused as a bomb.",
                "SENTIMENT_MAX_DECOMPRESSION_RATIO=1000 make nightly DUMP=…, if you trust it",
            )
        return line

    def _cut_short(self, error: Exception) -> DumpUnreadableError:
        return DumpUnreadableError(
            f"{self.path} is damaged or cut short after {self._offset:,} decompressed bytes: {error}",
            f"gzip -t {self.path}",
        )

    def finish(self) -> tuple[int, str]:
        """Size and SHA-256 of the file as it lies there; reads what is left."""
        while self._hashing.read(CHUNK_BYTES):
            pass
        self._raw.close()
        return self._hashing.n_bytes, self._hashing.hexdigest()


def records(stream: DumpStream, quoted: bool) -> Iterator[Record]:
    """Number the records from 1; blank lines are none. `quoted` joins lines inside open CSV quotes."""
    number = 0
    for offset, raw, size, digest in _joined(stream) if quoted else stream.lines():
        if not raw.strip():
            continue
        number += 1
        problem = "too_long" if digest else None
        yield Record(number, offset, raw, size, digest, problem)


def _joined(stream: DumpStream) -> Iterator[tuple[int, bytes, int, str | None]]:
    held: list[bytes] = []
    start, size, open_quote = 0, 0, False
    for offset, line, line_size, digest in stream.lines():
        start = offset if not held else start
        held.append(line)
        size += line_size
        open_quote ^= line.count(b'"') % 2 == 1
        if open_quote and digest is None and size <= stream.max_line_bytes:
            continue
        raw = b"\n".join(held)
        if open_quote or digest:
            whole = hashlib.sha256(raw).hexdigest()
            yield start, raw[:RAW_KEPT_BYTES], size, digest or whole
        else:
            yield start, raw, size, None
        held, size, open_quote = [], 0, False
    if held:
        yield start, b"\n".join(held), size, None
