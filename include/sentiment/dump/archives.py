"""Zip archives: their members are a dump's files, as if the archive were a folder, within bounds."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import IO

from sentiment.dump import locate
from sentiment.dump.foreign import office_document
from sentiment.dump.member import UNZIPPABLE, Member, open_zip
from sentiment.dump.stream import CHUNK_BYTES, RATIO_FREE_BYTES
from sentiment.errors import DumpNotFoundError, DumpRefusedError, DumpUnreadableError, quoted
from sentiment.runs.model import archive_and_member, unzip_command

MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
"""First bytes of a zip archive, and of an empty one."""
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
ENCRYPTED = 1
"""Bit of a member's flags."""
MAX_MANIFEST_BYTES = 1 << 20


@contextmanager
def opened(uri: str, max_ratio: float) -> Iterator[list[Path | Member]]:
    """Yield the dump's files, as `locate` returns them, with the members of an archive in its stead, sorted by name.

    `max_ratio` bounds the unpacked bytes per byte of an archive. An archive in an object store is copied to a temporary
    file. Raises what `locate` raises, DumpUnreadableError for an archive that is damaged or unpacks too far,
    DumpRefusedError for one that is encrypted or has names that no folder could have.
    """
    with ExitStack() as stack:
        wanted, files = locate.requested_member(uri), list[Path | Member]()
        for path in locate.locate(uri):
            archive = _open_archive(path, stack)
            files += [path] if archive is None else _members(path, archive, max_ratio, wanted)
        yield files


def _open_archive(path: Path, stack: ExitStack) -> zipfile.ZipFile | None:
    """Return the archive that a file is; None for another file, a workbook too."""
    if path.suffix.lower() != locate.ARCHIVE:
        return None
    file: IO[bytes] = stack.enter_context(path.open("rb"))
    start = file.read(4)
    if start not in MAGIC:
        return None
    if "://" in str(path):
        file = _local_copy(start, file, stack)
    try:
        archive = stack.enter_context(open_zip(file))
    except UNZIPPABLE as error:
        raise DumpUnreadableError(
            f"{path} is damaged or cut short: as a zip archive it can't be opened ({error}).",
            f"unzip -t {quoted(path)}",
        ) from error
    return None if office_document(archive.namelist()) else archive


def _local_copy(start: bytes, file: IO[bytes], stack: ExitStack) -> IO[bytes]:
    # An archive is read from its end, which an object store can't do in one pass.
    spooled = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
    spooled.write(start)
    shutil.copyfileobj(file, spooled, CHUNK_BYTES)
    return spooled


def _members(path: Path, archive: zipfile.ZipFile, max_ratio: float, wanted: str | None) -> list[Path | Member]:
    infos = [info for info in archive.infolist() if _is_visible(info.filename) and not info.is_dir()]
    dumps = sorted((info for info in infos if _is_dump(info.filename)), key=lambda info: info.filename)
    if not dumps:
        names = ", ".join(info.filename[:100] for info in infos[:5]) or "nothing"
        raise DumpNotFoundError(
            f"No dump in the archive {path}: it holds {names}; a dump ends in {', '.join(locate.FORMATS)}, or that and "
            f"{', '.join(c for c in locate.COMPRESSIONS if c)}.",
            f"unzip -l {quoted(path)}",
        )
    size = archive.fp.seek(0, 2)  # type: ignore[union-attr]
    _check(path, dumps, size, max_ratio)
    # The ratio by the archive's own size: sizes in its list may lie.
    members = [Member(path, i, archive, i.file_size / max(min(i.compress_size, size), 1)) for i in dumps]
    chosen = [member for member in members if wanted in (None, member.info.filename)]
    if not chosen:
        raise DumpNotFoundError(f"{path} has no member {wanted}.", f"unzip -l {quoted(path)}")
    return [*chosen]


def _is_visible(name: str) -> bool:
    # As in a folder; __MACOSX is what macOS adds. Names that lead out of the archive are for `_check`.
    return name != "" and not any(part.startswith((".", "_")) for part in _parts(name) if part not in {".", ".."})


def _is_dump(name: str) -> bool:
    last = _parts(name)[-1]
    return last.lower().endswith(locate.SUFFIXES) and last != locate.MANIFEST


def _parts(name: str) -> list[str]:
    return name.replace("\\", "/").split("/")


def _check(path: Path, dumps: list[zipfile.ZipInfo], size: int, max_ratio: float) -> None:
    """Raise where members can't be read as a dump's files, or unpack too far together."""
    names = [info.filename for info in dumps]
    unpack = f"unzip {quoted(path)} -d dump && make nightly DUMP=dump"
    if bad := next((n for n in names if ".." in _parts(n) or n.startswith(("/", "\\"))), None):
        raise DumpRefusedError(f"{path} has a member that leads out of it: {bad[:100]}.", f"unzip -l {quoted(path)}")
    if double := next((one for one, following in pairwise(names) if one == following), None):
        raise DumpRefusedError(f"{path} has two members of the name {double[:100]}.", f"unzip -l {quoted(path)}")
    if locked := next((i for i in dumps if i.flag_bits & ENCRYPTED), None):
        raise DumpRefusedError(f"{path} is encrypted: {locked.filename[:100]} needs a password.", unpack)
    if other := next((i for i in dumps if i.compress_type not in METHODS), None):
        raise DumpRefusedError(
            f"{path}: {other.filename[:100]} is packed by method {other.compress_type}, which is not read.", unpack
        )
    total = sum(info.file_size for info in dumps)
    if total > RATIO_FREE_BYTES and total > max_ratio * size:
        raise DumpUnreadableError(
            f"{path} unpacks to {total:,} bytes, more than {max_ratio:g} times its size: refused as a bomb.",
            f"SENTIMENT_MAX_DECOMPRESSION_RATIO=1000 make nightly DUMP={quoted(path)}, if you trust it",
        )


def manifest_night(files: list[Path | Member]) -> date | None:
    """Return the night that a `manifest.json` beside the files or in one of their archives names; None without one.

    Raises DumpRefusedError where a manifest can't be read, or two name two nights.
    """
    first = files[0]
    beside = locate.manifest_night([first.archive if isinstance(first, Member) else first])
    nights = {} if beside is None else {"the folder": beside}
    for archive, member in {file.archive: file for file in files if isinstance(file, Member)}.items():
        if (night := _night_inside(member)) is not None:
            nights[str(archive)] = night
    if len(set(nights.values())) > 1:
        several = ", ".join(f"{night} by that of {name}" for name, night in nights.items())
        raise DumpRefusedError(
            f"The dump's manifests name several nights: {several}.", f"ls -la {quoted(next(reversed(nights)))}"
        )
    return next(iter(nights.values()), None)


def _night_inside(member: Member) -> date | None:
    """Return the night of the archive's manifest, of several the one that is nested least."""
    infos = [
        i for i in member.opened.infolist() if _is_visible(i.filename) and _parts(i.filename)[-1] == locate.MANIFEST
    ]
    if not infos:
        return None
    manifest = Member(member.archive, min(infos, key=lambda i: (i.filename.count("/"), i.filename)), member.opened, 1)
    try:
        with manifest.open() as stream:
            content = stream.read(MAX_MANIFEST_BYTES)
    except UNZIPPABLE as error:
        raise DumpUnreadableError(
            f"{manifest} can't be unpacked: {error}", f"unzip -t {quoted(member.archive)}"
        ) from error
    return locate.night_of(content, str(manifest), unzip_command(str(member.archive), manifest.info.filename))


def sha256_of(uri: str) -> str | None:
    """Return the SHA-256 in hex of a file of a dump on this machine, of a member unpacked; None where it is gone.

    Raises DumpUnreadableError for an archive that can't be opened any more.
    """
    split = archive_and_member(uri) if locate.requested_member(uri) else None
    path = Path(split[0] if split else uri)
    if not path.is_file():
        return None
    with path.open("rb") as file:
        if split is None:
            return hashlib.file_digest(file, "sha256").hexdigest()
        try:
            with open_zip(file) as archive, archive.open(split[1]) as member:
                return hashlib.file_digest(member, "sha256").hexdigest()  # type: ignore[arg-type]
        except KeyError:
            return None
        except UNZIPPABLE as error:
            raise DumpUnreadableError(
                f"{path} can't be opened as a zip archive: {error}", f"unzip -t {quoted(path)}"
            ) from error
