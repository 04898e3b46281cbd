"""A file inside a zip archive, read as if it lay in a folder; nothing is unpacked to a disk."""

from __future__ import annotations

import lzma
import os
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from sentiment.errors import DumpUnreadableError, quoted
from sentiment.runs.model import MEMBER_MARK, unzip_command

# A list of a million members and more, which zipfile would hold in memory.
MAX_DIRECTORY_BYTES = 64 << 20
MAX_FILE_BYTES = 1 << 62
UNZIPPABLE = (
    zipfile.BadZipFile, RuntimeError, EOFError, ValueError, struct.error, zlib.error, lzma.LZMAError
)  # fmt: skip
"""What zipfile raises for archives and members that are damaged, hostile or packed by a method that it lacks."""


class Bounded:
    """A file that zipfile reads from, which refuses a list of members that is too long for the memory, or leads out."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; raise BadZipFile for more at once than a list of members may have."""
        if size > MAX_DIRECTORY_BYTES:
            raise zipfile.BadZipFile(
                f"its list of members has {size:,} bytes; at most {MAX_DIRECTORY_BYTES:,} are read"
            )
        return self._file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position and return it; raise BadZipFile for one that a damaged list of members makes up."""
        if whence == os.SEEK_SET and not 0 <= offset < MAX_FILE_BYTES:
            raise zipfile.BadZipFile(f"its list of members leads to byte {offset:,}")
        return self._file.seek(offset, whence)


def open_zip(file: IO[bytes]) -> zipfile.ZipFile:
    """Open an archive for reading; raise one of UNZIPPABLE where that fails."""
    return zipfile.ZipFile(cast(IO[bytes], Bounded(file)))


@dataclass(frozen=True)
class Member:
    """One file of an open archive, with what receiving needs of `pathlib.Path`."""

    archive: Path
    """The archive's own path, local or of Airflow's object storage."""
    info: zipfile.ZipInfo
    opened: zipfile.ZipFile
    packing: float
    """Unpacked bytes per byte in the archive."""

    def __str__(self) -> str:
        return f"{self.archive}{MEMBER_MARK}{self.info.filename}"

    @property
    def name(self) -> str:
        """Return the last part of its name in the archive."""
        return self.info.filename.rpartition("/")[2]

    def open(self, mode: str = "rb") -> BinaryIO:
        """Return the unpacked bytes as a stream; raise DumpUnreadableError where the member is damaged."""
        assert mode == "rb"
        try:
            return cast(BinaryIO, self.opened.open(self.info))
        except UNZIPPABLE as error:
            raise DumpUnreadableError(f"{self} can't be unpacked: {error}", listing(self)) from error


def address(file: Path | Member) -> str:
    """Return the absolute path or address by which a file is recorded, a member's as `archive.zip!member`."""
    if isinstance(file, Member):
        return f"{address(file.archive)}{MEMBER_MARK}{file.info.filename}"
    return str(file) if "://" in str(file) else str(file.resolve())


def try_on(command: str, file: Path | Member) -> str:
    """Return the command to type for a file; of a member it reads what `unzip -p` prints."""
    if isinstance(file, Member):
        return f"{unzip_command(str(file.archive), file.info.filename)} | {command}"
    return f"{command} {quoted(file)}"


def listing(file: Path | Member) -> str:
    """Return the command to type that lists a file, or the archive of a member."""
    return f"unzip -l {quoted(file.archive)}" if isinstance(file, Member) else f"ls -la {quoted(file)}"
