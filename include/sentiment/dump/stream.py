"""One streaming pass over a file: decompress, hash, bound. Memory stays within one record, whatever the file holds."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import pyarrow as pa

from sentiment.contract import RAW_HEAD_BYTES
from sentiment.dump.encoding import UTF8, Encoding
from sentiment.dump.member import Member, listing, try_on
from sentiment.errors import DumpUnreadableError, InfrastructureError, SentimentError

MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "zstd"}
# Not Python's own bz2: it takes a damaged second stream of a file for the file's end.
ARROW_CODECS = {"bzip2": "bz2", "zstd": "zstd"}
BOM = b"\xef\xbb\xbf"
SNIFFED_BYTES = 8192
# Decompressed bytes up to which any ratio is accepted: small files of repeated text compress that well.
RATIO_FREE_BYTES = 64 << 20
CHUNK_BYTES = 1 << 20
# What gzip, zipfile, Arrow's bzip2 and zstd, and Python's text codecs raise for bytes that they can't read.
DAMAGED = (EOFError, zlib.error, OSError, ValueError, zipfile.BadZipFile, lzma.LZMAError)


class Line(NamedTuple):
    """One line of a file, without its line end."""

    byte_offset: int
    """Position in the decompressed file, in bytes."""
    raw: bytes
    """The line; of one longer than a record may be, its first 64 KiB."""
    n_bytes: int
    """Size of all of it, the line end included."""
    sha256: str | None
    """In hex, of a line that is longer than a record may be; None for others."""


class HashingReader(io.RawIOBase):
    """Reads from a stream while it counts and hashes the bytes."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._sha256 = hashlib.sha256()
        self.n_bytes = 0

    def readable(self) -> bool:
        """Return True, as `io.BufferedReader` asks."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fill the buffer and return the number of bytes; 0 at the end."""
        view = memoryview(buffer)  # type: ignore[arg-type]
        data = self._stream.read(len(view))
        view[: len(data)] = data
        self._sha256.update(data)
        self.n_bytes += len(data)
        return len(data)

    def hexdigest(self) -> str:
        """Return the SHA-256, in hex, of the bytes read so far."""
        return self._sha256.hexdigest()


class Transcoded(io.RawIOBase):
    """Reads UTF-16 or UTF-32 as UTF-8, so that lines end at a single byte."""

    def __init__(self, stream: io.BufferedIOBase, codec: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(codec)()
        self._ready = b""

    def readable(self) -> bool:
        """Return True, as `io.BufferedReader` asks."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fill the buffer and return the number of bytes; 0 at the end."""
        view = memoryview(buffer)  # type: ignore[arg-type]
        while not self._ready:
            data = self._stream.read1(CHUNK_BYTES)
            self._ready = self._decoder.decode(data, final=not data).encode("utf-8")
            if not data:
                break
        head, self._ready = self._ready[: len(view)], self._ready[len(view) :]
        view[: len(head)] = head
        return len(head)


class DumpStream:
    """The decompressed bytes of one file, by line or by chunk, within bounds.

    `path` is a local path, one of Airflow's object storage or a member of an archive, `max_ratio` the most bytes out
    per compressed byte in, a member's as they are in its archive.
    Reading raises DumpUnreadableError for a file that is cut short or damaged and for a decompression bomb,
    InfrastructureError where the file can't be read.
    """

    def __init__(self, path: Path | Member, max_ratio: float, max_record_bytes: int, encoding: Encoding = UTF8) -> None:
        self.path = path
        self.compression = "none"
        self._packing = path.packing if isinstance(path, Member) else 1.0
        self._offset = 0
        self.encoding = encoding
        self.max_ratio = max_ratio
        self.max_record_bytes = max_record_bytes
        self._raw: BinaryIO = path.open("rb")
        self._hashing = HashingReader(self._raw)
        packed = io.BufferedReader(self._hashing, CHUNK_BYTES)
        # By magic numbers rather than by suffix: names of exports are often wrong about their compression.
        start = self._first_bytes(packed)
        self.compression = next((name for magic, name in MAGIC.items() if start.startswith(magic)), "none")
        plain = _unpacked(packed, self.compression)
        wide = Transcoded(plain, encoding.python) if encoding.wide else plain
        self._lines = io.BufferedReader(wide, CHUNK_BYTES) if wide is not packed else packed
        self._strip_bom()

    def _first_bytes(self, packed: io.BufferedReader[HashingReader]) -> bytes:
        try:
            return packed.peek(4)
        except DAMAGED as error:
            raise self._damaged(error) from error

    def _strip_bom(self) -> None:
        if self.head()[:3] == BOM:
            self._offset = len(self._lines.read(3))

    def head(self) -> bytes:
        """Return the next bytes, at most 8 KiB, without consuming them."""
        try:
            return self._lines.peek(SNIFFED_BYTES)[:SNIFFED_BYTES]
        except DAMAGED as error:
            raise self._damaged(error) from error

    def preview(self) -> bytes:
        """Return as many of the next bytes as are at hand, at most 1 MiB, without consuming them."""
        try:
            return self._lines.peek(CHUNK_BYTES)[:CHUNK_BYTES]
        except DAMAGED as error:
            raise self._damaged(error) from error

    @property
    def offset(self) -> int:
        """Return the number of decompressed bytes read so far."""
        return self._offset

    def lines(self) -> Iterator[Line]:
        """Yield the lines from the current offset on."""
        while True:
            offset = self._offset
            line = self._line(self.max_record_bytes + 1)
            if not line:
                return
            if len(line) > self.max_record_bytes and not line.endswith(b"\n"):
                yield Line(offset, line[:RAW_HEAD_BYTES], *self._skip_rest(line))
            else:
                yield Line(offset, line.rstrip(b"\r\n"), len(line), None)

    def _skip_rest(self, line: bytes) -> tuple[int, str]:
        """Read to the end of a line that is too long; return its size in bytes and its SHA-256."""
        digest, size = hashlib.sha256(line), len(line)
        while line and not line.endswith(b"\n"):
            line = self._line(CHUNK_BYTES)
            digest.update(line.rstrip(b"\r\n"))
            size += len(line)
        return size, digest.hexdigest()

    def _line(self, limit: int) -> bytes:
        try:
            return self._counted(self._lines.readline(limit))
        except DAMAGED as error:
            raise self._damaged(error) from error

    def chunk(self) -> bytes:
        """Return the next bytes, at most 1 MiB; empty at the end."""
        try:
            return self._counted(self._lines.read(CHUNK_BYTES))
        except DAMAGED as error:
            raise self._damaged(error) from error

    def _counted(self, data: bytes) -> bytes:
        self._offset += len(data)
        ratio = self._offset / max(self._hashing.n_bytes, 1) * self._packing
        if self._offset > RATIO_FREE_BYTES and ratio > self.max_ratio:
            raise DumpUnreadableError(
                f"{self.path} unpacks to more than {self.max_ratio:g} times its size: refused as a bomb.",
                "SENTIMENT_MAX_DECOMPRESSION_RATIO=1000 make nightly DUMP=…, if you trust it",
            )
        return data

    def _damaged(self, error: Exception) -> SentimentError:
        # Decompressors raise OSError too, but only the operating system's has an errno.
        if isinstance(error, OSError) and error.errno:
            return InfrastructureError(f"{self.path} can't be read: {error}", "make nightly DUMP=…, once it can")
        test = {"gzip": "gzip -t", "bzip2": "bzip2 -t", "zstd": "zstd -t"}.get(self.compression)
        return DumpUnreadableError(
            f"{self.path} is damaged or cut short after {self._offset:,} decompressed bytes: {error}",
            try_on(test, self.path) if test else listing(self.path),
        )

    def finish(self, to_end: bool = True) -> tuple[int, str]:
        """Read to the end and close the file; return its size in bytes and SHA-256 in hex, as stored (compressed).

        Without `to_end` both are of the bytes that were read.
        """
        # Bytes behind the end of the compressed stream belong to the file, and so to its hash.
        while to_end and self._hashing.read(CHUNK_BYTES):
            pass
        self._raw.close()
        return self._hashing.n_bytes, self._hashing.hexdigest()


def _unpacked(packed: io.BufferedReader[HashingReader], compression: str) -> io.BufferedIOBase:
    if compression == "gzip":
        return cast(io.BufferedIOBase, gzip.GzipFile(fileobj=packed))
    if compression in ARROW_CODECS:
        codec = ARROW_CODECS[compression]
        return io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(packed, mode="r"), codec), CHUNK_BYTES)
    return packed
