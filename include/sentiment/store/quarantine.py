"""Refused records as people work on them: listed, looked at, exported for a spreadsheet, counted for a requeue."""

from __future__ import annotations

import csv
import os
import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from sentiment.contract import FORGOTTEN, RAW_HEAD_BYTES
from sentiment.database import transaction
from sentiment.errors import ParameterError, quoted
from sentiment.runs.model import archive_and_member, unzip_command
from sentiment.schemas import QUARANTINED
from sentiment.spreadsheet import cell
from sentiment.sql import statement
from sentiment.workspace import Part, Workspace, run_key

ROWS_AT_ONCE = 500


@dataclass(frozen=True)
class Which:
    """Which refused records are meant; None: any. Without `run_id`, those of published runs, not of replaced ones."""

    night: date | None = None
    source: str | None = None
    run_id: str | None = None
    rule: str | None = None


COLUMNS = (
    "run_id",
    "night",
    "source",
    "status",
    "file_no",
    "record_no",
    "uri",
    "format",
    "compression",
    "byte_offset",
    "raw_bytes",
    "raw_sha256",
    "reasons",
    "details",
    "requeued_in",
    "raw",
)
"""Columns of an exported record, in order; `raw_bytes` is the record's size, `raw` its first 64 KiB."""


def newest(which: Which, limit: int) -> list[sa.Row[Any]]:
    """Return at most `limit` refused records with COLUMNS but `raw`, those of the newest run first."""
    with transaction() as c:
        return list(c.execute(statement("store/quarantine/newest"), {**asdict(which), "limit": limit}))


def get(run_id: str, file_no: int, record_no: int) -> sa.Row[Any]:
    """Return one refused record with COLUMNS and `encoding`, null where none is recorded; ParameterError without it.

    `file_no` counts from 0, `record_no` from 1 within its file.
    """
    params = {"run_id": run_id, "file_no": file_no, "record_no": record_no}
    with transaction() as c:
        row = c.execute(statement("store/quarantine/get"), params).one_or_none()
    if row is None:
        raise ParameterError(
            f"Run {run_id!r} has no refused record {record_no} of file {file_no}.", "sentiment quarantine list"
        )
    return row


def story(row: sa.Row[Any]) -> dict[str, str]:
    """Describe one refused record, as `get` returns it: label -> text, the command to type next last."""
    n_stored = len(row.raw)
    mend = f"mend the rule, the setting or how the dump is read; then: sentiment quarantine requeue {row.run_id}"
    replaced = f"the run was replaced since: sentiment quarantine list --night {row.night}"
    stopped = f"sentiment run show {row.run_id}"
    following = {"published": mend, "superseded": replaced}.get(row.status, stopped)
    requeued = f"sentiment run show {row.requeued_in}" if row.requeued_in else ""
    description = {
        "run": f"{row.run_id}, night {row.night} of {row.source}, {row.status}",
        "file": f"{row.file_no}: {row.uri}",
        "record": f"{row.record_no}, from byte {row.byte_offset:,} of the file, decompressed",
        "size": f"{row.raw_bytes:,} bytes" + (f", the first {n_stored:,} kept" if _is_cut(row) and n_stored else ""),
        "sha256": row.raw_sha256,
        "rules": " ".join(row.reasons),
        **{f"reason {n}": line for n, line in enumerate(row.details.splitlines(), 1)},
        "requeued": f"in {row.requeued_in}" if row.requeued_in else "no",
        "bytes": bytes(row.raw) if n_stored else "removed by retention, or because a person asked",
        "whole": _read_command(row),
        "next": requeued or following,
    }
    return {name: shown(value) for name, value in description.items() if value}


READERS = {"none": "cat", "gzip": "zcat", "bzip2": "bzcat", "zstd": "zstdcat"}
# Formats whose records have a byte offset; in UTF-16 and UTF-32 it is counted as if the file were UTF-8.
BY_OFFSET = {"jsonl", "json", "csv"}


def _is_cut(row: sa.Row[Any]) -> bool:
    return len(row.raw) in {0, RAW_HEAD_BYTES}


def _read_command(row: sa.Row[Any]) -> str:
    """Return the command that prints all bytes of the record from its file; empty where all of them are stored."""
    if not _is_cut(row) or row.compression not in READERS or row.format not in BY_OFFSET or "://" in row.uri:
        return ""
    if member := archive_and_member(row.uri):
        unpacked = "" if row.compression == "none" else f" | {READERS[row.compression]}"
        reader = unzip_command(*member) + unpacked
    else:
        reader = f"{READERS[row.compression]} {shlex.quote(row.uri)}"
    wide = (row.encoding or "").startswith(("utf-16", "utf-32"))
    as_counted = f"{reader} | iconv -f {row.encoding} -t utf-8" if wide else reader
    return f"{as_counted} | tail -c +{row.byte_offset + 1} | head -c {row.raw_bytes}"


def duplicates(run_id: str, limit: int) -> list[sa.Row[Any]]:
    """Return file_no, record_no, review_id, of_file_no and of_record_no of a run's first duplicates."""
    with transaction() as c:
        return list(c.execute(statement("store/quarantine/duplicates"), {"run_id": run_id, "limit": limit}))


def rules() -> list[str]:
    """Return the rules that records in quarantine have failed, in order."""
    query = "SELECT DISTINCT rule_name FROM sentiment.v_quarantine_reasons ORDER BY 1"
    with transaction() as c:
        return list(c.execute(sa.text(query)).scalars())


def requeueable(run_id: str) -> tuple[int, dict[str, int]]:
    """Return how many refused records of a run no person asked to have removed, and how many failed each rule."""
    params = {"run_id": run_id, "forgotten": FORGOTTEN}
    with transaction() as c:
        total: int = c.execute(statement("store/quarantine/count_requeueable"), params).scalar_one()
        by_rule = c.execute(statement("store/quarantine/count_requeueable_by_rule"), params)
        return total, {row.rule_name: row.n for row in by_rule}


def taken(old_run_id: str, run_id: str) -> tuple[int, int]:
    """Return how many refused records of the old run the requeue `run_id` accepted, and how many there were."""
    query = "SELECT count(*) FILTER (WHERE requeued_in = :new), count(*) FROM sentiment.quarantine WHERE run_id = :old"
    with transaction() as c:
        accepted, total = c.execute(sa.text(query), {"old": old_run_id, "new": run_id}).one()
    return accepted, total


def export(target: Path, which: Which, overwrite: bool) -> int:
    """Write refused records as CSV that is safe to open in a spreadsheet; return how many.

    The file appears once it is complete, readable by its owner alone, since records may hold author names.
    Raises ParameterError where it can't be written, or exists and `overwrite` is False.
    """
    if target.is_dir() or not target.parent.is_dir():
        raise ParameterError(
            f"{target} is not a file in a folder there is.", "sentiment quarantine export /tmp/quarantine.csv"
        )
    if target.exists() and not overwrite:
        raise ParameterError(f"{target} is there already.", "the same with --force, or another name")
    try:
        return _write(target, which)
    except OSError as error:
        raise ParameterError(f"{target} can't be written: {error}", f"df -h {quoted(target.parent)}") from error


def _write(target: Path, which: Which) -> int:
    # mkstemp makes a file that its owner alone can read; it stays so when it is renamed.
    handle, beside = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    n_rows = 0
    try:
        # With a byte order mark, without which Excel takes UTF-8 for Windows-1252.
        with open(handle, "w", encoding="utf-8-sig", newline="") as out:
            rows = csv.writer(out, quoting=csv.QUOTE_ALL)
            rows.writerow(COLUMNS)
            for row in _stream(which):
                rows.writerow([cell(text) for text in _texts(row)])
                n_rows += 1
        os.replace(beside, target)
    finally:
        Path(beside).unlink(missing_ok=True)
    return n_rows


def _texts(row: Mapping[str, Any]) -> list[str]:
    values = {
        **row,
        "reasons": " ".join(row["reasons"]),
        "details": " | ".join(row["details"].splitlines()),
        "raw": bytes(row["raw"]),
    }
    return ["" if values[name] is None else shown(values[name]) for name in COLUMNS]


def _stream(which: Which) -> Iterator[Mapping[str, Any]]:
    """Yield refused records with COLUMNS."""
    # By a cursor on the server, so that no more than a few hundred payloads are in memory at a time.
    options = {"yield_per": ROWS_AT_ONCE}
    with transaction() as c:
        rest = _in_workspace(c, which.run_id) if which.run_id else None
        if rest is not None:
            yield from (row for row in rest if which.rule is None or which.rule in row["reasons"])
            return
        stored = c.execute(statement("store/quarantine/export"), asdict(which), execution_options=options)
        for row in stored.mappings():
            yield dict(row)


def _in_workspace(c: sa.Connection, run_id: str) -> Iterator[Mapping[str, Any]] | None:
    """Return all refused records of a run that was never published, from the run workspace; None where it has none.

    The table has but some of them.
    """
    run = c.execute(statement("store/quarantine/unpublished_run"), {"run_id": run_id}).one_or_none()
    workspace = Workspace()
    if run is None or not (parts := workspace.committed("quarantined", run_key(run.night, run_id), run.token)):
        return None
    files = {row.file_no: row for row in c.execute(statement("store/quarantine/files"), {"run_id": run_id})}
    return _rows_of_parts(workspace, parts, run, files)


def _rows_of_parts(
    workspace: Workspace, parts: list[Part], run: sa.Row[Any], files: Mapping[int, sa.Row[Any]]
) -> Iterator[Mapping[str, Any]]:
    of_run = {"run_id": run.run_id, "night": run.night, "source": run.source, "status": run.status}
    for batch in workspace.batches(workspace.files_of(parts), QUARANTINED.names, ROWS_AT_ONCE):
        for record in batch.to_pylist():
            file = files[record["file_no"]]
            of_file = {"uri": file.uri, "format": file.format, "compression": file.compression}
            yield {**record, **of_run, **of_file, "requeued_in": None}


# Control characters, those that turn the direction of writing, and those that can't be seen.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def shown(value: object) -> str:
    r"""Return a text that does nothing to a terminal: bytes that are not UTF-8 as \xNN, control characters escaped."""
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
    return CONTROL.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    number = ord(match[0])
    return ESCAPES.get(match[0]) or (f"\\x{number:02x}" if number < 0x80 else f"\\u{number:04x}")
