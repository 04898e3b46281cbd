"""ingest: the received records, decoded and mapped to the contract."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sentiment.dump.ingest import to_rows
from sentiment.dump.profiles import Profile
from sentiment.dump.receive import layouts_of
from sentiment.jobs.entry import main
from sentiment.runs import attempts, phases
from sentiment.runs.model import Run
from sentiment.store import forgetting
from sentiment.workspace import Workspace, run_key

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def work(spark: SparkSession, run: Run, step: attempts.Attempt, workspace: Workspace) -> None:
    found = attempts.finished(run.run_id, "find_dump").detail
    received, profile = workspace.committed("received", found["received"]), Profile(**found["profile"])
    rows = to_rows(workspace.read(spark, received), run.source, layouts_of(found), profile, forgetting.tombstones())
    total = sum(part.rows for part in received)
    part = workspace.write(rows, "ingested", run_key(run.night, run.run_id), step.token, total, "")
    workspace.commit("ingested", run_key(run.night, run.run_id), step.token, part)
    phases.reached("ingested")
    step.counts["read"] = total
    step.progress(total, total)


if __name__ == "__main__":
    sys.exit(main("ingest", work))
