"""Runs and dumps as the ledger stores them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Run:
    """One row of `sentiment.run`: identity and state."""

    run_id: str
    night: date
    source: str
    dump_id: str
    model_id: str
    status: str
    supersedes: str | None
    reason: str | None
    verdict: str | None
    counts: dict[str, int]
    requeue_of: str | None = None
    """The run of the same dump that it replaces, to let mended records through."""


@dataclass(frozen=True)
class DumpFile:
    """One file of a dump, as it lay there."""

    file_no: int
    uri: str
    sha256: str
    format: str
    compression: str
    n_bytes: int
    n_records: int


STEPS = ("find_dump", "ingest", "validate", "score", "audit", "publish", "track_drift", "report")


COUNTS = ("read", "accepted", "quarantined", "duplicate", "scored", "reused", "published")
