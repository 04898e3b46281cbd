"""Runs and dumps as the ledger stores them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

STEPS = ("find_dump", "ingest", "validate", "score", "audit", "publish", "track_drift", "report")
"""The steps of a night, in order; a step is a task's work as the ledger records it."""

COUNTS = ("read", "accepted", "quarantined", "duplicate", "scored", "reused", "published")
"""What a run counts: columns `rows_…` of `sentiment.run`, in records or reviews."""


READING_VERSION = 2
"""Version of the rules by which a dump's values are read; stored with each run. 1: records whose optional values can't
be read were refused."""
READ_ALIKE_SINCE = 1
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


@dataclass(frozen=True)
class DumpFile:
    """One file of a dump, as it was received."""

    file_no: int
    """From 0, in the order of receiving."""
    uri: str
    sha256: str
    """Hex, of the file's bytes as stored, compressed or not."""
    format: str
    compression: str
    n_bytes: int
    """Bytes as stored."""
    n_records: int


@dataclass(frozen=True)
class Layout:
    """How a file's records are written."""

    format: str
    """jsonl, json, csv or parquet."""
    columns: list[str]
    """Names in the file's order; of JSON those of its first records."""
    delimiter: str = ","
    """Of CSV."""
    encoding: str = "utf-8"
    suggested_encoding: str | None = None
    """The encoding that records which are not in `encoding` seem to have."""


@dataclass(frozen=True)
class IdentityRule:
    """What makes two records of a source the same review; fixed at the source's first published night.

    `dump.identity` has the ids that follow from it.
    """

    columns: tuple[str, ...]
    """Columns of the contract whose values together are the identity; `dump` stands for the night."""
    version: int = 2
    """1: sources first published by versions that knew no rule (their ids depend on positions in some cases)."""


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
