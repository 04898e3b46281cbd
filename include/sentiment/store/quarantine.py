"""Refused records as people work them: listed, looked at, exported for a spreadsheet, counted for a requeue."""

from __future__ import annotations

import csv
import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from sentiment.contract import FORGOTTEN, RAW_HEAD_BYTES
from sentiment.database import transaction
from sentiment.errors import ParameterError

ROWS_AT_ONCE = 500
CELL_CHARS = 32_000
"""Spreadsheets hold 32,767 characters in a cell, and put the rest where it does not belong."""


@dataclass(frozen=True)
class Which:
    """Which refused records are meant; without a run those of published runs, for others have been replaced."""

    night: date | None = None
    source: str | None = None
    run_id: str | None = None
    rule: str | None = None


PLACE = (
    "q.run_id, r.night, r.source, r.status, q.file_no, q.record_no, f.uri, f.format, f.compression, q.byte_offset, "
    "q.raw_bytes, q.raw_sha256, q.reasons, q.details, q.requeued_in"
)
FOUND = """
SELECT {columns} FROM sentiment.run r CROSS JOIN LATERAL (
  SELECT * FROM sentiment.quarantine WHERE run_id = r.run_id AND {which} ORDER BY file_no, record_no LIMIT :limit) AS q
LEFT JOIN sentiment.dump_file f ON f.dump_id = r.dump_id AND f.file_no = q.file_no
WHERE (cast(:run_id AS text) IS NULL AND r.status = 'published' OR r.run_id = :run_id)
  AND r.night = coalesce(:night, r.night) AND r.source = coalesce(:source, r.source)
ORDER BY r.started_at DESC, q.run_id, q.file_no, q.record_no LIMIT :limit
"""
"""No run gives more than what is asked for, so that a short list is quick however much was ever refused."""
BY_RULE = "(cast(:rule AS text) IS NULL OR :rule = ANY(reasons))"
ENCODING = """(SELECT detail -> 'layouts' -> q.file_no ->> 'encoding' FROM sentiment.run_step s
  WHERE s.run_id = q.run_id AND step = 'find_dump' AND state = 'done' ORDER BY token DESC LIMIT 1)"""
BY_PLACE = "file_no = :file_no AND record_no = :record_no"


def newest(which: Which, limit: int) -> list[sa.Row[Any]]:
    """Refused records without their bytes, those of the newest run first."""
    query = FOUND.format(columns=PLACE, which=BY_RULE)
    with transaction() as c:
        return list(c.execute(sa.text(query), {**asdict(which), "limit": limit}))


def get(run_id: str, file_no: int, record_no: int) -> sa.Row[Any]:
    """One refused record with the bytes that are kept; ParameterError where it is not there."""
    values = {**asdict(Which(run_id=run_id)), "file_no": file_no, "record_no": record_no, "limit": 1}
    with transaction() as c:
        query = FOUND.format(columns=f"{PLACE}, q.raw, {ENCODING} AS encoding", which=BY_PLACE)
        row = c.execute(sa.text(query), values).one_or_none()
    if row is None:
        raise ParameterError(
            f"Run {run_id!r} has no refused record {record_no} of file {file_no}.", "sentiment quarantine list"
        )
    return row


def story(row: sa.Row[Any]) -> dict[str, str]:
    """What a person wants to know of one refused record, by its name, and the command to type next."""
    kept = len(row.raw)
    mend = f"mend the rule, the setting or how the dump is read; then: sentiment quarantine requeue {row.run_id}"
    replaced = f"the run was replaced since: sentiment quarantine list --night {row.night}"
    taken_in = f"sentiment run show {row.requeued_in}" if row.requeued_in else ""
    told = {
        "run": f"{row.run_id}, night {row.night} of {row.source}, {row.status}",
        "file": f"{row.file_no}: {row.uri}",
        "record": f"{row.record_no}, from byte {row.byte_offset:,} of the file, decompressed",
        "size": f"{row.raw_bytes:,} bytes" + (f", the first {kept:,} kept" if _is_cut(row) and kept else ""),
        "sha256": row.raw_sha256,
        "rules": " ".join(row.reasons),
        **{f"reason {n}": line for n, line in enumerate(row.details.splitlines(), 1)},
        "requeued": f"in {row.requeued_in}" if row.requeued_in else "no",
        "bytes": bytes(row.raw) if kept else "removed by retention, or because a person asked",
        "whole": _whole(row),
        "next": taken_in or (mend if row.status == "published" else replaced),
    }
    return {name: shown(value) for name, value in told.items() if value}


READERS = {"none": "cat", "gzip": "zcat", "bzip2": "bzcat", "zstd": "zstdcat"}
BY_OFFSET = {"jsonl", "json", "csv"}
"""Formats whose records have a place in bytes; in UTF-16 and UTF-32 it is counted as if they were UTF-8."""


def _is_cut(row: sa.Row[Any]) -> bool:
    return len(row.raw) in {0, RAW_HEAD_BYTES}


def _whole(row: sa.Row[Any]) -> str:
    """The command that prints the record as it lies in its file; nothing where it is shown whole already."""
    if not _is_cut(row) or row.compression not in READERS or row.format not in BY_OFFSET or "://" in row.uri:
        return ""
    reader = f"{READERS[row.compression]} {shlex.quote(row.uri)}"
    wide = (row.encoding or "").startswith(("utf-16", "utf-32"))
    as_counted = f"{reader} | iconv -f {row.encoding} -t utf-8" if wide else reader
    return f"{as_counted} | tail -c +{row.byte_offset + 1} | head -c {row.raw_bytes}"


def rules() -> list[str]:
    """The rules that records in quarantine have failed."""
    with transaction() as c:
        query = "SELECT DISTINCT rule_name FROM sentiment.v_quarantine_reasons ORDER BY 1"
        return list(c.execute(sa.text(query)).scalars())


LEFT = "FROM sentiment.quarantine q WHERE run_id = :run_id AND NOT :forgotten = ANY(reasons)"
FAILED = (
    f"SELECT rule_name, count(*) AS n FROM (SELECT unnest(reasons) AS rule_name {LEFT}) AS failed GROUP BY 1 ORDER BY 1"
)


def requeueable(run_id: str) -> tuple[int, dict[str, int]]:
    """How many records a run refused that no person asked to have removed, and how many of them failed each rule."""
    values = {"run_id": run_id, "forgotten": FORGOTTEN}
    with transaction() as c:
        total: int = c.execute(sa.text(f"SELECT count(*) {LEFT}"), values).scalar_one()
        return total, {row.rule_name: row.n for row in c.execute(sa.text(FAILED), values)}


def taken(old_run_id: str, run_id: str) -> tuple[int, int]:
    """Of what the old run refused: how many records the requeue `run_id` accepted, and how many there were."""
    query = "SELECT count(*) FILTER (WHERE requeued_in = :new), count(*) FROM sentiment.quarantine WHERE run_id = :old"
    with transaction() as c:
        accepted, total = c.execute(sa.text(query), {"old": old_run_id, "new": run_id}).one()
    return accepted, total


def export(target: Path, which: Which, overwrite: bool) -> int:
    """Write refused records as CSV that is safe to open in a spreadsheet; returns how many.

    The file comes into being whole, and readable by its owner alone: records may hold author names.
    Raises ParameterError where it is there already and `overwrite` is not asked for.
    """
    if target.is_dir() or not target.parent.is_dir():
        raise ParameterError(f"{target} is no place for a file.", "sentiment quarantine export /tmp/quarantine.csv")
    if target.exists() and not overwrite:
        raise ParameterError(f"{target} is there already.", "the same with --force, or another name")
    try:
        return _write(target, which)
    except OSError as error:
        raise ParameterError(f"{target} can't be written: {error}", f"df -h {target.parent}") from error


def _write(target: Path, which: Which) -> int:
    handle, beside = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    n_rows = 0
    try:
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


COLUMNS = (*(name.rpartition(".")[2] for name in PLACE.split(", ")), "raw")


def _texts(row: sa.Row[Any]) -> list[str]:
    values = {
        **row._mapping,
        "reasons": " ".join(row.reasons),
        "details": " | ".join(row.details.splitlines()),
        "raw": bytes(row.raw),
    }
    return ["" if values[name] is None else shown(values[name]) for name in COLUMNS]


def _stream(which: Which) -> Iterator[sa.Row[Any]]:
    """By a cursor on the server: no more than a few hundred payloads are here at a time."""
    query = sa.text(FOUND.format(columns=f"{PLACE}, q.raw", which=BY_RULE))
    with transaction() as c:
        yield from c.execute(query, {**asdict(which), "limit": None}, execution_options={"yield_per": ROWS_AT_ONCE})


RUN = re.compile(r"^(?=[=+\-@\t\r\n])|(?<=;)(?=[\s\"]*[=+\-@])")
"""Where a spreadsheet would begin to calculate; in many countries it takes semicolons for the ends of cells."""


def cell(text: str) -> str:
    """What a spreadsheet shows and never runs: an apostrophe before what looks like a formula, and not too long."""
    safe = RUN.sub("'", text)
    return safe if len(safe) <= CELL_CHARS else f"{safe[:CELL_CHARS]}…"


def shown(value: object) -> str:
    r"""As text that does nothing to a terminal: bytes that are not UTF-8 as \xNN, control characters escaped."""
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
    return ACTING.sub(_escaped, text)


ACTING = re.compile(r"[\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
"""Control characters, those that turn the direction of writing, and those that can't be seen."""
NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def _escaped(found: re.Match[str]) -> str:
    number = ord(found[0])
    return NAMED.get(found[0]) or (f"\\x{number:02x}" if number < 0x80 else f"\\u{number:04x}")
