"""Runs and dumps as the ledger stores them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date

from sentiment.errors import quoted

STEPS = ("find_dump", "ingest", "validate", "score", "audit", "publish", "track_drift", "report")
"""The steps of a night, in order; a step is a task's work as the ledger records it."""

COUNTS = ("read", "accepted", "quarantined", "duplicate", "scored", "reused", "published")
"""What a run counts: columns `rows_…` of `sentiment.run`, in records or reviews."""


READING_VERSION = 3
"""Version of the rules by which a dump's values are read; stored with each run. 1: records whose optional values can't
be read were refused. 2: dates, ratings and labels in fewer forms, missing words as words (`dump.former`), only an id of
the dump's was an item's, and fewer names of columns were known."""
READ_ALIKE_SINCE = 3
"""Oldest version that read the values of a published record as this one does; to be raised where it no longer did."""


@dataclass(frozen=True)
class Run:
    """One row of `sentiment.run`: identity and state."""

    run_id: str
    """Night and eight hex digits, like 20261122-0a1b2c3d."""
    night: date
    source: str
    dump_id: str
    """SHA-256 in hex over the hashes of the dump's files."""
    model_id: str
    status: str
    """As stored: running, audited, published, superseded or failed; `sentiment.v_runs` derives what people read."""
    supersedes: str | None
    """The published run of the same night that this one is to replace."""
    reason: str | None
    """Why a night is replaced, or batch checks may fail, as a person put it."""
    verdict: str | None
    """The night in one paragraph, or what it failed of; null while it runs."""
    counts: dict[str, int]
    """By the names of `COUNTS`."""
    requeue_of: str | None = None
    """The run of the same dump that this one replaces, so that mended records are published."""


MEMBER_MARK = "!"
"""Stands between a zip archive and its member in the address of a dump's file: `/data/export.zip!2026/reviews.csv`."""
MEMBER = re.compile(rf"(.+?\.zip){MEMBER_MARK}([^/].*)", re.IGNORECASE | re.DOTALL)


def archive_and_member(uri: str) -> tuple[str, str] | None:
    """Return the archive's address and the member's name of a file inside a zip archive; None for any other file."""
    match = MEMBER.fullmatch(uri)
    return (match[1], match[2]) if match else None


def unzip_command(archive: str, member: str) -> str:
    """Return the command that prints the bytes of an archive's member."""
    # unzip takes these characters of a name for a pattern.
    name = re.sub(r"([\[\]*?\\])", r"\\\1", member)
    return f"unzip -p {quoted(archive)} {quoted(name)}"


@dataclass(frozen=True)
class DumpFile:
    """One file of a dump, as it was received."""

    file_no: int
    """From 0, in the order of receiving."""
    uri: str
    """Of a member of a zip archive as `archive_and_member` reads it."""
    sha256: str
    """Hex, of the file's bytes as stored, compressed or not; of a member unpacked."""
    format: str
    compression: str
    n_bytes: int
    """Bytes as stored, of a member unpacked."""
    n_records: int


@dataclass(frozen=True)
class Layout:
    """How a file's records are written."""

    format: str
    """jsonl, json, csv, parquet or xlsx."""
    columns: list[str]
    """Names in the file's order; of JSON those of its first records. Values in nested objects have dotted names."""
    delimiter: str = ","
    """Of CSV."""
    encoding: str = "utf-8"
    suggested_encoding: str | None = None
    """The encoding that records which are not in `encoding` seem to have."""
    inferred: dict[str, str | None] = field(default_factory=dict)
    """Column whose name alone doesn't decide what it is -> column of the contract by its first values; None: none."""
    file_title: str | None = None
    """The item's title by the file's name; None where the source profile reads it from columns."""
    escape: str = ""
    """Of CSV, the character that escapes quotes, delimiters and itself; empty where quotes are doubled."""
    sheet: str = ""
    """Of a workbook, the sheet that is read; empty for other formats."""
    other_sheets: tuple[str, ...] = ()
    """Of a workbook, the sheets that are not read."""


LATEST_RULE = 3
"""Version of the identity rules that are made now."""


@dataclass(frozen=True)
class IdentityRule:
    """What makes two records of a source the same review; fixed at the source's first published night.

    `dump.identity` has the ids that follow from it.
    """

    columns: tuple[str, ...]
    """Columns of the contract whose values together are the identity; `dump` stands for the night."""
    version: int = LATEST_RULE
    """Of the reading of these columns. 1: sources first published by versions that knew no rule (their ids depend on
    positions in some cases); 2: the columns are read by the names that were known then."""

    def is_like(self, other: IdentityRule) -> bool:
        """Return whether both name the same columns, by whatever version later than the first these are read."""
        return self.columns == other.columns and (self.version == 1) == (other.version == 1)


FIRST_RULE = IdentityRule(("own_id", "item_id", "author", "review_date", "text"), version=1)
"""Of every source that was published before there were rules."""


@dataclass(frozen=True)
class Reading:
    """How whoever runs a night wants its dump to be read."""

    source: str = ""
    profile: str | None = None
    """Name of a source profile; None: the one that fits best."""
    encoding: str | None = None
    """None: the profile's."""
