"""Locate the files of a dump, in a fixed order: on this machine's disks or in an object store."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path, PurePosixPath
from typing import cast

from sentiment.errors import DumpNotFoundError, DumpRefusedError, InfrastructureError, ParameterError, quoted
from sentiment.runs.model import archive_and_member

FORMATS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".xlsx")
COMPRESSIONS = ("", ".gz", ".bz2", ".zst")
SUFFIXES = tuple(f + c for f in FORMATS for c in COMPRESSIONS)
ARCHIVE = ".zip"
"""Suffix of an archive whose members are a dump's files."""
MANIFEST = "manifest.json"
"""A file of this name in a dump's folder is no part of the dump; its `night` is the night that the dump is for."""


def pattern_for(template: str, night: date) -> str:
    """Return the night's glob: the template with `{night}` replaced by the date."""
    return template.replace("{night}", night.isoformat())


def locate(uri: str) -> list[Path]:
    """Return the dump's files, sorted: one file, every dump in a folder, or the matches of a glob.

    `uri` is a path, or an address like `s3://bucket/key`; of `archive.zip!member` the archive is returned. Raises
    DumpNotFoundError, naming the files that are there instead, DumpRefusedError for a link that leads out of the
    folder, ParameterError for an unknown kind of address, InfrastructureError where the object store doesn't answer.
    """
    if requested_member(uri):
        return locate(archive_and_member(uri)[0])  # type: ignore[index]
    return _remote(uri) if "://" in uri else _local(uri)


def requested_member(uri: str) -> str | None:
    """Return the name of the member that an address like `archive.zip!member` is about; None for any other."""
    split = archive_and_member(uri)
    is_file = "://" not in uri and Path(uri).expanduser().exists()
    return split[1] if split and not is_file else None


def _local(uri: str) -> list[Path]:
    path = Path(uri).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        return _in_folder(path, uri)
    if any(c in uri for c in "*?["):
        return _matching(Path(path.anchor or "."), str(path.relative_to(path.anchor)), uri)
    raise DumpNotFoundError(f"No dump at {uri}: there is no such file or folder.", f"ls -la {quoted(path.parent)}")


def _remote(uri: str) -> list[Path]:
    from botocore.exceptions import BotoCoreError

    # Airflow's object storage has the interface of pathlib, and its credentials are Airflow's connections.
    start = min((at for c in "*?[" if (at := uri.find(c)) > 0), default=len(uri))
    try:
        # A second look must see what came since: the file system keeps the listings of its process.
        _object(uri[:start]).fs.invalidate_cache()  # type: ignore[attr-defined]
        if start < len(uri):
            parent, _, pattern = uri[:start].rpartition("/")
            return _matching(_object(parent), pattern + uri[start:], uri)
        path = _object(uri)
        if path.is_file():
            return [path]
        if path.is_dir():
            return _in_folder(path, uri)
    except (OSError, BotoCoreError) as error:
        raise InfrastructureError(f"{uri} can't be listed: {error}", f"airflow connections get {S3}") from error
    raise DumpNotFoundError(
        f"No dump at {uri}: there is no such object or prefix.",
        f"sentiment source look {quoted(uri.rpartition('/')[0] or uri)}",
    )


S3 = "aws_default"
"""Airflow's connection for `s3://bucket/key`; another one: `s3://connection@bucket/key`."""


def _object(uri: str) -> Path:
    from airflow.sdk import ObjectStoragePath

    try:
        return cast(Path, ObjectStoragePath(uri, conn_id=S3 if uri.startswith("s3://") and "@" not in uri else None))
    except ValueError as error:
        raise ParameterError(
            f"{uri} can't be read: {error}; expected a path, file://… or s3://….",
            f"bring it onto this machine, then: make nightly DUMP={quoted(PurePosixPath(uri).name)}",
        ) from error


def _in_folder(folder: Path, uri: str) -> list[Path]:
    paths = _visible(folder.iterdir())
    files = [p for p in paths if p.is_file() and _is_dump(p)]
    if not files:
        names = ", ".join(p.name for p in paths[:5]) or "nothing"
        raise DumpNotFoundError(
            f"No dump in the folder {uri}: it holds {names}; a dump ends in {', '.join(FORMATS)}, "
            f"or that and {', '.join(c for c in COMPRESSIONS if c)}, or in {ARCHIVE}.",
            f"ls -la {quoted(uri)}",
        )
    return [_checked_link(folder, p) for p in files]


def _visible(paths: Iterable[Path]) -> list[Path]:
    # Spark and others write unfinished files and markers under such names.
    return sorted((p for p in paths if not p.name.startswith((".", "_"))), key=str)


def _checked_link(folder: Path, path: Path) -> Path:
    # Whoever may put files into a folder must not be able to have the pipeline read others of the machine.
    if "://" not in str(path) and path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
        raise DumpRefusedError(
            f"{path} is a link that leads out of {folder}, to {path.resolve()}.",
            f"ls -la {quoted(path)}; if that file belongs to the dump, put the file itself there",
        )
    return path


def _matching(root: Path, pattern: str, uri: str) -> list[Path]:
    matches = _visible(root.glob(pattern))
    files = [_checked_link(p.parent, p) for p in matches if p.is_file() and _is_dump(p)]
    if not files and len(matches) == 1 and matches[0].is_dir():
        return _in_folder(matches[0], str(matches[0]))
    if not files:
        raise DumpNotFoundError(f"No dump matches {uri}.", f"ls -la {quoted(_folder_of(uri))}")
    return files


def _folder_of(pattern: str) -> str:
    """Return the folder of a glob's names, up to the first name that is a pattern."""
    begin = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
    return begin.rpartition("/")[0] or ("/" if begin.startswith("/") else ".")


def _is_dump(path: Path) -> bool:
    return path.name.lower().endswith((*SUFFIXES, ARCHIVE)) and path.name != MANIFEST


def manifest_night(files: list[Path]) -> date | None:
    """Return the night that a `manifest.json` beside the files names; None where there is no such file.

    Raises DumpRefusedError where the manifest can't be read.
    """
    path = files[0].parent / MANIFEST
    return night_of(path.read_bytes(), str(path), f"cat {quoted(path)}") if path.is_file() else None


def night_of(manifest: bytes, name: str, try_next: str) -> date:
    """Return the night that a manifest's bytes name; raise DumpRefusedError where they name none."""
    try:
        return date.fromisoformat(json.loads(manifest)["night"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DumpRefusedError(f'{name} names no night like {{"night": "2026-11-22"}}: {error!r}.', try_next) from error
