"""publish: Spark fills staging, one transaction makes the night visible."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sentiment import ledger
from sentiment.jobs.entry import main
from sentiment.lake import Lake, Part, run_key
from sentiment.store import publishing
from sentiment.store.staging import COLUMNS, Staging

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def work(spark: SparkSession, run: ledger.Run, step: ledger.Step, lake: Lake) -> None:
    key = run_key(run.night, run.run_id)
    score, validate = (ledger.done(run.run_id, name) for name in ("score", "validate"))
    staging = Staging(run.run_id, step.token)
    staging.create()
    quarantined = lake.committed("quarantined", key, validate.token)
    for kind, parts in {
        "review": lake.committed("scored", key, score.token),
        "profile": lake.committed("profile", key, score.token),
        "quarantine": quarantined,
    }.items():
        names = [column.split()[0] for column in COLUMNS[kind].split(", ")]
        staging.fill(kind, lake.read(spark, parts).select(*names))
    expected = publishing.Expected(
        scored=Part(**score.detail["scored"]),
        quarantined=sum(part.rows for part in quarantined),
        baseline=score.detail["baseline"],
    )
    publishing.merge(run, step, expected)


if __name__ == "__main__":
    sys.exit(main("publish", work))
