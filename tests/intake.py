"""A dump through find_dump's reading, ingest and the rules, by the very code of the jobs, on the test's session."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sentiment.dump.ingest import to_rows
from sentiment.dump.receive import Reading, receive
from sentiment.jobs.validate import with_facts
from sentiment.quality import rules, split
from sentiment.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import Row, SparkSession
    from sentiment.settings import Settings

NIGHT = date(2026, 11, 22)


class Outcome(NamedTuple):
    """What became of a dump's records."""

    accepted: list[Row]
    refused: list[Row]
    again: list[Row]
    n_read: int


def through(spark: SparkSession, dump_at: Path, config: Settings) -> Outcome:
    """Every record of the dump, in exactly one of three lists."""
    workspace = Workspace(config.lake)
    dump = receive(str(dump_at), config, workspace, Reading("allocine"))
    table = rules.table(config, NIGHT)
    rows = to_rows(
        workspace.read(spark, workspace.committed("received", dump.key)), "allocine", dump.layouts, dump.profile
    )
    rows = rows.persist()
    verdicts = split.verdicts(rules.judged(with_facts(rows, config), table), table).persist()
    refused, again = split.quarantined(verdicts), split.duplicates(verdicts)
    found = split.accepted(rows, refused, again).collect(), refused.collect(), again.collect()
    verdicts.unpersist()
    rows.unpersist()
    return Outcome(*found, sum(file.n_records for file in dump.files))
