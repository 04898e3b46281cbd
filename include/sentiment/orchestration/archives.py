"""Zips from strangers: what they hold is bounded and stays in its folder."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from pathlib import Path

from sentiment.errors import InfrastructureError, ParameterError, quoted

MAX_UNPACKED_BYTES = 8 << 30
"""Of one archive; the largest graph that ONNX can hold has 2 GiB."""
ENCRYPTED = 0x1
"""Flag of an archive's member."""


def unpack(archive: Path, target: Path) -> None:
    """Unpack a zip that `check` accepts; InfrastructureError where the disk has not enough free for it."""
    size = check(archive)
    # A full disk would stop Postgres as well.
    free = shutil.disk_usage(target.parent).free
    if size > free:
        raise InfrastructureError(
            f"{archive.name} unpacks to {size / 1e9:.1f} GB; {free / 1e9:.1f} GB are free below {target.parent}.",
            "free some disk, then the same command",
        )
    try:
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(target)
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise ParameterError(f"{archive} is damaged: {error}.", "bring the zip once more, complete") from error
    except NotImplementedError as error:
        raise _other_zip(f"{archive} can't be unpacked: {error}", archive) from error


def check(archive: Path) -> int:
    """Return how many bytes a zip unpacks to, before anything is unpacked.

    Raises ParameterError for members that lead out of their folder, encrypted ones, and more than MAX_UNPACKED_BYTES.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
    except zipfile.BadZipFile as error:
        raise ParameterError(f"{archive} is damaged: {error}.", "bring the zip once more, complete") from error
    for member in members:
        # extractall would put such members somewhere inside; such a zip is refused, since it may be meant to do harm.
        if member.filename.startswith("/") or ".." in Path(member.filename).parts:
            raise ParameterError(
                f"{archive} holds {member.filename!r}, which leads out of its folder.", "bring another zip"
            )
        if member.flag_bits & ENCRYPTED:
            raise _other_zip(f"{archive} is encrypted ({member.filename!r})", archive)
    # An archive can't hold more than it declares: zipfile stops there.
    size = sum(member.file_size for member in members)
    if size > MAX_UNPACKED_BYTES:
        raise _other_zip(
            f"{archive} unpacks to {size / 1e9:,.1f} GB; at most {MAX_UNPACKED_BYTES / 1e9:.1f} GB are unpacked",
            archive,
        )
    return size


def _other_zip(what: str, archive: Path) -> ParameterError:
    return ParameterError(f"{what}.", f"unzip {quoted(archive)} -d FOLDER && sentiment model add FOLDER")
