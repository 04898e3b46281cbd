"""What tests of maintenance do by hand: old rows and files, leftovers counted by kind."""

from __future__ import annotations

import os
from collections import Counter
from datetime import datetime
from pathlib import Path

from sentiment.orchestration import maintenance
from sentiment.store.retention import Leftover
from sentiment.workspace import Workspace

from tests.kit.rows import LONG_AGO, run_sql


def age(run_id: str, at: datetime = LONG_AGO) -> None:
    """Let nothing have happened to the run since, by default for years."""
    run_sql("UPDATE sentiment.run SET started_at = :at, finished_at = :at WHERE run_id = :r", at=at, r=run_id)
    run_sql("UPDATE sentiment.run_step SET heartbeat_at = :at WHERE run_id = :r", at=at, r=run_id)


def put(workspace: Workspace, folder: str, old: bool = False) -> Path:
    """Write a file into a folder, as a killed attempt does."""
    path = Path(workspace.local(f"{folder}/part.parquet"))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    if old:
        os.utime(path, (0, 0))
    return path


def kinds(leftovers: list[Leftover] | None = None) -> dict[str, int]:
    """Return kind -> amount of the leftovers, by default of those there are."""
    counts: Counter[str] = Counter()
    for leftover in maintenance.find() if leftovers is None else leftovers:
        counts[leftover.kind] += leftover.amount
    return dict(counts)


def maintained_twice(kind: str) -> int:
    """Return how much a dry run lists, having checked that the real one removes as much and the next finds nothing."""
    amount = kinds()[kind]
    assert kinds(maintenance.maintain(dry_run=True))[kind] == amount
    assert kinds(maintenance.maintain(dry_run=False))[kind] == amount
    assert kind not in kinds()
    return amount
