"""The step publish: a night's committed parts are loaded into staging; then one transaction makes it visible."""

from __future__ import annotations

from sentiment import settings
from sentiment.runs import attempts, opening
from sentiment.runs.handoff import JudgedNight, ScoredNight
from sentiment.runs.model import FIRST_RULE, Run
from sentiment.store import loading, publishing, sources
from sentiment.store.loading import Rows
from sentiment.store.publishing import Expected
from sentiment.workspace import Workspace, run_key


def publish(run_id: str) -> None:
    """Publish an audited run in one attempt; a run that is published already stays as it is.

    Counts `published`, in reviews. Raises StaleAttemptError where a newer attempt has begun, DataError where the run
    was superseded meanwhile, InfrastructureError where a part can't be read, staging differs from the manifest, another
    publisher holds the lock for too long, or another night was published since novelty was decided.
    """
    with attempts.attempt(run_id, "publish") as attempt:
        run = opening.get_run(run_id)
        publishing.merge(run, attempt, stage(run, attempt, Workspace(settings.load().lake)))


def stage(run: Run, attempt: attempts.Attempt, workspace: Workspace) -> Expected:
    """Load the night into staging tables of the attempt; return what the merge must find there.

    Reads the parts `scored`, `profile` and `quarantined` of the newest finished attempts of score and validate.
    """
    key = run_key(run.night, run.run_id)
    score, validate = (attempts.finished(run.run_id, name) for name in ("score", "validate"))
    reviews = workspace.committed("scored", key, score.token)
    profile = workspace.committed("profile", key, score.token)
    quarantined = workspace.committed("quarantined", key, validate.token)
    # What a run supersedes may be taken back, and with it what the tables hold of known reviews.
    stored = loading.KNOWN if run.supersedes is None else None
    # Empty where the attempt wrote no such part: of values that can't be read, or of an earlier version.
    duplicates, unread = (workspace.committed(name, key, validate.token) for name in ("duplicate", "unread"))
    if any("of_file_no" not in workspace.columns(part) for part in duplicates):
        duplicates = []
    tables = {
        "profile": Rows(profile),
        "quarantine": Rows(quarantined),
        "duplicate": Rows(duplicates),
        "unread": Rows(unread),
        "review": Rows(reviews, stored),
    }
    loading.stage(attempt, workspace, tables)
    scored = score.handoff(ScoredNight)
    return Expected(
        scored.part(),
        sum(part.rows for part in quarantined),
        sum(map(workspace.count, profile)),
        scored.novelty_base_run,
        scored.uncertain_band,
        duplicates=sum(part.rows for part in duplicates),
        unread=sum(part.rows for part in unread),
        source=_source(run),
    )


def _source(run: Run) -> sources.Proposed:
    """Return how the run's dump was read; of what an earlier version received by the first identity rule."""
    dump = attempts.received_dump(run.run_id)
    mapped = dump.dump_columns.mapped if dump.dump_columns else {}
    judged = attempts.finished(run.run_id, "validate").handoff(JudgedNight)
    return sources.Proposed(dump.identity or FIRST_RULE, mapped, dump.labels or judged.labels)
