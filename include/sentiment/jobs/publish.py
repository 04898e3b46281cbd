"""publish: Spark fills staging, one transaction makes the night visible."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sentiment.jobs.entry import main
from sentiment.runs import attempts
from sentiment.runs.handoff import ScoredNight
from sentiment.runs.model import Run
from sentiment.schemas import STAGED
from sentiment.store import publishing
from sentiment.store.staging import Staging
from sentiment.workspace import Workspace, run_key

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def without_known_text(rows: DataFrame) -> DataFrame:
    """Null the title, text and author of known reviews: those are published already and need not travel again.

    Not for a run that supersedes another: what the other one published may be taken back.
    """
    fresh = F.col("novelty") != "known"
    return rows.withColumns({column: F.when(fresh, F.col(column)) for column in ("title", "text", "author")})


def staged(run: Run, attempt: attempts.Attempt) -> Staging:
    """Create the attempt's staging tables, empty; those of the run's older attempts are dropped."""
    staging = Staging(run.run_id, attempt.token)
    staging.create()
    return staging


def fill(staging: Staging, kind: str, rows: DataFrame) -> None:
    """Append rows to a kind of staging table: of their columns those that it has."""
    staging.fill(kind, rows.select(*STAGED[kind].staged))


def work(spark: SparkSession, run: Run, attempt: attempts.Attempt, workspace: Workspace) -> None:
    """Copy the night's parts into staging tables and publish them in one transaction.

    Reads the parts `scored`, `profile` and `quarantined` of the newest finished attempts of score and validate.
    Writes the staging tables of this attempt, then everything that people query, and drops the staging tables.
    Counts `published`, in reviews. Raises StaleAttemptError where a newer attempt has begun, DataError where the run
    was superseded meanwhile, InfrastructureError where staging differs from the manifest, another publisher holds the
    lock for too long, or another night was published since novelty was decided.
    """
    key = run_key(run.night, run.run_id)
    score, validate = (attempts.finished(run.run_id, name) for name in ("score", "validate"))
    staging = staged(run, attempt)
    quarantined = workspace.committed("quarantined", key, validate.token)
    for kind, parts in {
        "review": workspace.committed("scored", key, score.token),
        "profile": workspace.committed("profile", key, score.token),
        "quarantine": quarantined,
    }.items():
        rows = workspace.read(spark, parts)
        fill(staging, kind, without_known_text(rows) if kind == "review" and run.supersedes is None else rows)
    scored = score.handoff(ScoredNight)
    n_quarantined = sum(part.rows for part in quarantined)
    expected = publishing.Expected(scored.part(), n_quarantined, scored.novelty_base_run, scored.uncertain_band)
    publishing.merge(run, attempt, expected)


if __name__ == "__main__":
    sys.exit(main("publish", work))
