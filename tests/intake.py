"""Run a dump through receiving, decoding and the quality rules, by the jobs' own code, on the test's session."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sentiment.dump.decoding import to_rows
from sentiment.dump.receive import receive
from sentiment.jobs.validate import with_facts
from sentiment.quality import rules, split
from sentiment.runs.model import Reading
from sentiment.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import Row, SparkSession
    from sentiment.settings import Settings

NIGHT = date(2026, 11, 22)


class Outcome(NamedTuple):
    """A dump's records by outcome: rows of the parts accepted, quarantined and duplicate, and how many were read."""

    accepted: list[Row]
    refused: list[Row]
    repeated: list[Row]
    n_read: int


def through(spark: SparkSession, path: Path, config: Settings) -> Outcome:
    """Return every record of the dump in exactly one of three lists."""
    workspace = Workspace(config.lake)
    dump = receive(str(path), config, workspace, Reading("allocine"))
    table = rules.table(config, NIGHT)
    rows = to_rows(
        workspace.read(spark, workspace.committed("received", dump.key)), "allocine", dump.layouts, dump.profile
    )
    verdicts = split.verdicts(rules.judged(with_facts(rows, config), table), table).persist()
    refused, repeated = split.quarantined(verdicts), split.duplicates(verdicts)
    lists = split.accepted(verdicts, repeated).collect(), refused.collect(), repeated.collect()
    verdicts.unpersist()
    return Outcome(*lists, sum(file.n_records for file in dump.files))
