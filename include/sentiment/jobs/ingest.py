"""ingest: the received records, decoded and mapped to the contract."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sentiment import ledger
from sentiment.dump.ingest import to_rows
from sentiment.dump.profiles import Profile
from sentiment.dump.receive import layouts_of
from sentiment.jobs.entry import main
from sentiment.lake import Lake, run_key
from sentiment.store import forgetting

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def work(spark: SparkSession, run: ledger.Run, step: ledger.Step, lake: Lake) -> None:
    found = ledger.done(run.run_id, "find_dump").detail
    received, profile = lake.committed("received", found["received"]), Profile(**found["profile"])
    rows = to_rows(lake.read(spark, received), run.source, layouts_of(found), profile, forgetting.tombstones())
    total = sum(part.rows for part in received)
    part = lake.write(rows, "ingested", run_key(run.night, run.run_id), step.token, total, "")
    lake.commit("ingested", run_key(run.night, run.run_id), step.token, part)
    ledger.phase("ingested")
    step.counts["read"] = total
    step.progress(total, total)


if __name__ == "__main__":
    sys.exit(main("ingest", work))
