"""ingest: the received records, decoded and mapped to the contract."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sentiment.dump.ingest import to_rows
from sentiment.dump.profiles import Profile
from sentiment.jobs.entry import main
from sentiment.runs import attempts, phases
from sentiment.runs.handoff import ReceivedDump
from sentiment.runs.model import Run
from sentiment.store import forgetting
from sentiment.workspace import Workspace, run_key

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def work(spark: SparkSession, run: Run, attempt: attempts.Attempt, workspace: Workspace) -> None:
    """Decode and map the run's received records into its part `ingested`, one row for each record.

    Reads the part `received` of the run's dump, by the layouts and the source profile that find_dump recorded, and
    the suppressed keys. Counts `read`, in records. Raises InfrastructureError where the received records are gone
    from the workspace, ParameterError where find_dump has not finished.
    """
    dump = attempts.finished(run.run_id, "find_dump").handoff(ReceivedDump)
    received, profile = workspace.committed("received", dump.records_key), Profile.model_validate(dump.profile)
    rows = to_rows(workspace.read(spark, received), run.source, dump.layouts, profile, forgetting.suppressed_keys())
    total = sum(part.rows for part in received)
    part = workspace.write(rows, "ingested", run_key(run.night, run.run_id), attempt.token, total, "")
    workspace.commit("ingested", run_key(run.night, run.run_id), attempt.token, part)
    phases.reached("ingested")
    attempt.counts["read"] = total
    attempt.progress(total, total)


if __name__ == "__main__":
    sys.exit(main("ingest", work))
