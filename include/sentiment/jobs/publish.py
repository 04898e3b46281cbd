"""publish: Spark fills staging, one transaction makes the night visible."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sentiment.jobs.entry import main
from sentiment.runs import attempts
from sentiment.runs.model import Run
from sentiment.schemas import STAGED
from sentiment.store import publishing
from sentiment.store.staging import Staging
from sentiment.workspace import Part, Workspace, run_key

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def without_known_text(rows: DataFrame) -> DataFrame:
    """What is published already does not travel again, unless the night that said so may be taken back."""
    fresh = F.col("novelty") != "known"
    return rows.withColumns({column: F.when(fresh, F.col(column)) for column in ("title", "text", "author")})


def staged(run: Run, step: attempts.Attempt) -> Staging:
    """The attempt's staging tables, made and empty."""
    staging = Staging(run.run_id, step.token)
    staging.create()
    return staging


def fill(staging: Staging, kind: str, rows: DataFrame) -> None:
    """Append the columns that the kind of staging table has."""
    staging.fill(kind, rows.select(*STAGED[kind].staged))


def work(spark: SparkSession, run: Run, step: attempts.Attempt, workspace: Workspace) -> None:
    key = run_key(run.night, run.run_id)
    score, validate = (attempts.finished(run.run_id, name) for name in ("score", "validate"))
    staging = staged(run, step)
    quarantined = workspace.committed("quarantined", key, validate.token)
    for kind, parts in {
        "review": workspace.committed("scored", key, score.token),
        "profile": workspace.committed("profile", key, score.token),
        "quarantine": quarantined,
    }.items():
        rows = workspace.read(spark, parts)
        fill(staging, kind, without_known_text(rows) if kind == "review" and run.supersedes is None else rows)
    expected = publishing.Expected(
        scored=Part(**score.detail["scored"]),
        quarantined=sum(part.rows for part in quarantined),
        novelty_base_run=score.detail["baseline"],
    )
    publishing.merge(run, step, expected)


if __name__ == "__main__":
    sys.exit(main("publish", work))
