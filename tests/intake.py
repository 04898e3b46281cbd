"""Run a dump through receiving, decoding and the quality rules, by the jobs' own code, on the test's session."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sentiment.dump.identity import Identity
from sentiment.dump.receive import receive
from sentiment.jobs.judging import Night, Parts, judge_records
from sentiment.quality import rules, split
from sentiment.runs.model import Reading
from sentiment.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import Row, SparkSession
    from sentiment.settings import Settings

NIGHT = date(2026, 11, 22)
PLAIN = Reading("allocine")


class Outcome(NamedTuple):
    """A dump's records: rows of accepted, quarantined and duplicate, how many were read, and rows of unread."""

    accepted: list[Row]
    refused: list[Row]
    repeated: list[Row]
    n_read: int
    unread: list[Row]

    @property
    def ids(self) -> set[str]:
        """Identities of the accepted reviews."""
        return {row["review_id"] for row in self.accepted}


def through(spark: SparkSession, path: Path, config: Settings, reading: Reading = PLAIN) -> Outcome:
    """Return every record of the dump in exactly one of three lists."""
    workspace = Workspace(config.lake)
    dump = receive(str(path), config, workspace, reading)
    received = workspace.read(spark, workspace.committed("received", dump.key))
    table = rules.table(config, NIGHT)
    identity = Identity(dump.profile.identity_rule(dump.mapped), NIGHT)

    night = Night("allocine", dump.layouts, dump.profile.model_dump(mode="json"), identity, table, config)
    parts = Parts(workspace, f"night={NIGHT}/run=through", time.monotonic_ns())
    judge_records(spark, parts, received, night)
    accepted, refused, repeated = (parts.read(spark, n).collect() for n in ("accepted", "quarantined", "duplicate"))
    unread = split.unread(parts.read(spark, "judged")).collect()
    return Outcome(accepted, refused, repeated, sum(file.n_records for file in dump.files), unread)
