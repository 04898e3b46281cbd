"""What tests of maintenance do by hand: SQL as the owner, old rows and files, leftovers counted by kind."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import sqlalchemy as sa
from sentiment.database import transaction
from sentiment.orchestration import maintenance
from sentiment.store.retention import Leftover
from sentiment.workspace import Workspace

LONG_AGO = "now() - interval '5 years'"


def run_sql(query: str, **values: object) -> None:
    """Run a statement as the owner."""
    with transaction("owner") as c:
        c.execute(sa.text(query), values)


def scalar(query: str, **values: object) -> object:
    """Return the only value of a query run as the owner."""
    with transaction("owner") as c:
        return c.execute(sa.text(query), values).scalar_one()


def copied(table: str, **other: object) -> str:
    """Return SQL that copies rows of `sentiment.<table>` with other values in some columns."""
    values = json.dumps(other)
    return f"INSERT INTO sentiment.{table} SELECT (jsonb_populate_record(t, '{values}')).* FROM sentiment.{table} t"


def age(run_id: str) -> None:
    """Let nothing have happened to the run for years."""
    run_sql(f"UPDATE sentiment.run SET started_at = {LONG_AGO}, finished_at = {LONG_AGO} WHERE run_id = :r", r=run_id)
    run_sql(f"UPDATE sentiment.run_step SET heartbeat_at = {LONG_AGO} WHERE run_id = :r", r=run_id)


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
