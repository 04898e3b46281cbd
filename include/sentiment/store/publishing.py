"""Publish a night by write-audit-publish: all of it at once, once, by the newest attempt only.

The night is loaded into staging tables first (`loading.py`). One transaction audits what is staged, takes back the
night that the run replaces, merges (`merging.py`), and marks the run as published, or changes nothing. Whether it
committed is read from `sentiment.run` afterwards: a lost answer to COMMIT is no reason to guess.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from sentiment import settings
from sentiment.database import transaction
from sentiment.errors import DataError, InfrastructureError
from sentiment.labels import Band
from sentiment.runs import attempts, opening, phases
from sentiment.runs.model import READ_ALIKE_SINCE, Run
from sentiment.sql import statement, with_literals
from sentiment.store import merging, sources
from sentiment.store.staging import Staging
from sentiment.workspace import Part

log = logging.getLogger(__name__)

# Advisory lock that a publisher holds until its transaction ends.
LOCK_KEY = 7_301_844_150_923_002

RESCORE = "rescore"
"""The step that publishes a night once more, by another model."""


@dataclass(frozen=True)
class Expected:
    """What `score` and `validate` wrote; staging that holds anything else is refused.

    `scored` has the rows and the key checksum of the reviews, `quarantined` is how many records were refused,
    `profiled` how many rows the profile has, `novelty_base_run` the newest publication of the source when novelty was
    decided, None where there was none. `uncertain_band` is what the profile counts `uncertain` by; None where an
    earlier version counted. `duplicates` are records, `unread` values that can't be read. `source` is the identity
    rule of the dump and its columns; None where a published night is rescored.
    """

    scored: Part
    quarantined: int
    profiled: int
    novelty_base_run: str | None
    uncertain_band: Band | None = None
    duplicates: int = 0
    unread: int = 0
    source: sources.Proposed | None = None


def newest_publication(source: str) -> str | None:
    """Return the run of `source` that was published last, None without one; runs that only rescored don't count."""
    with transaction() as c:
        return _newest_publication(c, source)


def _newest_publication(c: sa.Connection, source: str) -> str | None:
    run_id: str | None = c.execute(statement("store/publish/newest_publication"), {"source": source}).scalar()
    return run_id


def known_before(night: date, source: str) -> str:
    """Return SQL for `review_id`, `known_hash` and `known_text_hash`.

    `known_hash` is the content that the nights before `night` last had of a review; `known_text_hash` is null, unless
    a version read that content which read otherwise (`READ_ALIKE_SINCE`).
    """
    read = {"source": source, "night": night, "alike_since": READ_ALIKE_SINCE}
    with transaction() as c:
        if c.execute(statement("store/publish/is_read_before"), read).scalar_one():
            return with_literals("store/publish/known_read_before", read)
        if merging.is_newest_night(c, night, source):
            return with_literals("store/publish/known_now", {"source": source})
    return with_literals("store/publish/known_before", {"source": source, "night": night})


def known_reviews(source: str) -> str:
    """Return SQL for review_id, known_text (a hash), known_author and known_item of each review as it is shown."""
    return with_literals("store/publish/known_reviews", {"source": source})


def merge(run: Run, attempt: attempts.Attempt, expected: Expected) -> None:
    """Publish what the attempt has staged, or change nothing; a run that is published already stays as it is.

    Raises StaleAttemptError for an older attempt, DataError where the run was superseded or may not replace what is
    published, InfrastructureError where staging is incomplete, another publisher holds the lock too long, or another
    night was published since novelty was decided.
    """
    staging = Staging(run.run_id, attempt.token)
    phases.reached("staged")
    try:
        with transaction() as c:
            # The publishers' lock before any row's, as in `forgetting.remove` and `rescoring.use`: in one order they
            # can't deadlock.
            lock(c)
            phases.reached("locked")
            status = c.execute(
                sa.text("SELECT status FROM sentiment.run WHERE run_id = :run_id FOR UPDATE"), {"run_id": run.run_id}
            ).scalar_one()
            # After the lock is had: a newer attempt may have begun while this one waited for it.
            attempt.check_token(c)
            if status == "superseded":
                raise DataError(
                    f"Run {run.run_id} was superseded, so it can't be published again by clearing its tasks.",
                    opening.rerun_command(run, supersede=True),
                )
            if status != "published":
                _publish(c, run, attempt, staging, expected)
            phases.reached("before commit")
    # `transaction` has turned what it knows into errors of its own; what is left, like a broken constraint, is rolled
    # back.
    except DBAPIError as error:
        raise InfrastructureError(f"Publishing failed: {str(error.orig).strip()}", "sentiment runs") from error
    phases.reached("after commit")
    # Where the process is killed before this, the run's next attempt drops the tables, or maintain_store does.
    staging.drop()
    phases.reached("cleaned")


def _publish(c: sa.Connection, run: Run, attempt: attempts.Attempt, staging: Staging, expected: Expected) -> None:
    staging.open_views(c)
    staged = _audit(c, run, expected)
    replaced = _supersede(c, run)
    if expected.source:
        sources.fix(c, run, expected.source)
    n_published = merging.merge(c, run, replaced, expected.uncertain_band, staged)
    # Views outlive the transaction, and nobody else could drop the staging tables below them.
    staging.close_views(c)
    attempt.counts["published"] = n_published
    if n_published != expected.scored.rows:
        raise InfrastructureError(
            f"{n_published:,} reviews would be visible, {expected.scored.rows:,} were scored.",
            f"sentiment run show {run.run_id}",
        )
    phases.reached("merged")
    c.execute(statement("store/publish/mark_published"), {"run_id": run.run_id})
    # In the same transaction, so that the attempt is done exactly where the run is published.
    attempts.finish_in(c, attempt)


def lock(c: sa.Connection) -> None:
    """Let nobody else publish until the transaction ends, and bound its statements in time and memory."""
    timeout = {"timeout": f"{settings.load().statement_timeout_s}s"}
    c.execute(sa.text("SELECT set_config('statement_timeout', :timeout, true)"), timeout)
    c.execute(sa.text("SET LOCAL work_mem = '128MB'"))
    # A publisher that was killed lets go of the lock this soon.
    c.execute(sa.text("SET LOCAL client_connection_check_interval = '2s'"))
    lock_publishers(c)


def lock_publishers(c: sa.Connection) -> None:
    """Wait for any publisher, then keep others waiting until the transaction ends."""
    c.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})


def _audit(c: sa.Connection, run: Run, expected: Expected) -> merging.Staged:
    """Return what is staged; raise InfrastructureError where it is not what was expected."""
    counted = c.execute(statement("store/publish/count_staged")).one()
    part, names = expected.scored, ("quarantined", "profiled", "duplicates", "unread")
    staged = (counted.reviews, counted.checksum, *(getattr(counted, name) for name in names))
    manifest = (part.rows, part.checksum, *(getattr(expected, name) for name in names))
    if staged != manifest:
        raise InfrastructureError(
            f"Staging holds (reviews, checksum, {', '.join(names)}) {staged}, the manifest says {manifest}.",
            opening.rerun_command(run),
        )
    if _newest_publication(c, run.source) != expected.novelty_base_run:
        raise InfrastructureError(
            "Another night was published since this one's novelty was decided, so new and known may be wrong.",
            f"clear the task `score` in Airflow, or: {opening.rerun_command(run)}",
        )
    return merging.Staged(counted.seen_before, counted.with_sentences)


def _supersede(c: sa.Connection, run: Run) -> list[str]:
    """Take back the night that the run replaces, by whatever model; return the runs that published it.

    That night is another dump's, or, where a run was requeued, the same dump's. The reviews it listed are left in
    the temporary table `unsettled`, for `settling`.
    """
    keys = {"night": run.night, "source": run.source, "dump_id": run.dump_id, "requeue_of": run.requeue_of}
    c.execute(sa.text("CREATE TEMP TABLE unsettled (review_id text NOT NULL) ON COMMIT DROP"))
    replaced = list(c.execute(statement("store/publish/supersede_runs"), keys).scalars())
    if run.requeue_of and run.requeue_of not in replaced:
        raise DataError(
            f"Night {run.night} was published as {', '.join(replaced) or 'nothing'} meanwhile, so there is no use in "
            f"requeueing {run.requeue_of}.",
            f"sentiment quarantine list --night {run.night}",
        )
    if not replaced:
        return []
    if run.supersedes not in replaced or not run.reason:
        raise DataError(
            f"Night {run.night} was published as {replaced[0]} meanwhile, and this run was not asked to replace it.",
            opening.rerun_command(run, supersede=True),
        )
    c.execute(statement("store/publish/unlist_night"), keys)
    c.execute(sa.text("DELETE FROM sentiment.film_night WHERE night = :night AND source = :source"), keys)
    c.execute(sa.text("DELETE FROM drift.profile_metrics WHERE night = :night AND source = :source"), keys)
    log.info("superseded %s", ", ".join(replaced))
    return replaced
