"""Make a night visible, once and whole: one transaction that locks, checks, merges and writes the ledger.

A later look at the ledger decides what happened; a lost answer to COMMIT is no reason to guess.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError

from sentiment import contract, ledger, settings
from sentiment.database import transaction
from sentiment.errors import DataError, InfrastructureError
from sentiment.lake import Part
from sentiment.store.staging import Staging

log = logging.getLogger(__name__)

LOCK_KEY = 7_301_844_150_923_002
LOCK_NOT_AVAILABLE = "55P03"
FACTS = (*contract.CONTENT, "text_hash", "content_hash", "last_night", "run_id")


@dataclass(frozen=True)
class Expected:
    """What `score` and `validate` left: the merge refuses a staging that says otherwise."""

    scored: Part
    quarantined: int
    baseline: str | None
    """The newest publication when novelty was told, as the ledger names it."""


def newest_publication() -> str | None:
    """The run published last in this database; novelty is told against it."""
    with transaction() as c:
        return _newest_publication(c)


def _newest_publication(c: sa.Connection) -> str | None:
    found: str | None = c.execute(
        sa.text("SELECT run_id FROM sentiment.run WHERE published_at IS NOT NULL ORDER BY published_at DESC LIMIT 1")
    ).scalar()
    return found


def merge(run: ledger.Run, step: ledger.Step, expected: Expected) -> None:
    """Publish what is staged, or nothing.

    Raises StaleAttemptError for an older attempt, InfrastructureError where staging is incomplete, another
    publisher holds the lock too long, or another night was published since novelty was told.
    """
    staging = Staging(run.run_id, step.token)
    try:
        with transaction() as c:
            _lock(c)
            status = c.execute(
                sa.text("SELECT status FROM sentiment.run WHERE run_id = :run_id FOR UPDATE"), {"run_id": run.run_id}
            ).scalar_one()
            step.check_fence(c)
            if status != "published":
                _publish(c, run, step, staging, expected)
    except DBAPIError as error:
        raise InfrastructureError(f"Publishing failed: {str(error.orig).strip()}", "sentiment runs") from error
    staging.drop()


def _publish(c: sa.Connection, run: ledger.Run, step: ledger.Step, staging: Staging, expected: Expected) -> None:
    _check_staging(c, staging, expected)
    _supersede(c, run)
    step.counts["published"] = _merge(c, run, staging)
    c.execute(
        sa.text(
            "UPDATE sentiment.run SET status = 'published', published_at = clock_timestamp(), "
            "finished_at = clock_timestamp() WHERE run_id = :run_id"
        ),
        {"run_id": run.run_id},
    )
    ledger.finish_in(c, step)


def _lock(c: sa.Connection) -> None:
    config = settings.load()
    c.exec_driver_sql(f"SET LOCAL statement_timeout = '{config.statement_timeout_s}s'")
    c.exec_driver_sql(f"SET LOCAL lock_timeout = '{config.lock_timeout_s}s'")
    try:
        c.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK_KEY})")
    except OperationalError as error:
        if getattr(error.orig, "pgcode", None) != LOCK_NOT_AVAILABLE:
            raise
        raise InfrastructureError(f"Another publisher holds the lock: {_holder()}.", "sentiment runs") from error


def _holder() -> str:
    with transaction() as c:
        holder = c.execute(
            sa.text(
                "SELECT a.pid, a.usename, a.query_start FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
                "WHERE l.locktype = 'advisory' AND l.granted AND l.classid::bigint << 32 | l.objid::bigint = :key"
            ),
            {"key": LOCK_KEY},
        ).one_or_none()
    return f"process {holder.pid} ({holder.usename}, since {holder.query_start})" if holder else "a process now gone"


def _check_staging(c: sa.Connection, staging: Staging, expected: Expected) -> None:
    reviews = c.exec_driver_sql(
        f"SELECT count(*) AS rows, {contract.KEY_CHECKSUM_SQL} AS checksum FROM "
        f"(SELECT DISTINCT file_no, record_no, review_id FROM {staging.table('review')}) AS once"
    ).one()
    refused = c.exec_driver_sql(
        f"SELECT count(*) FROM (SELECT DISTINCT file_no, record_no FROM {staging.table('quarantine')}) AS once"
    ).scalar_one()
    found = (reviews.rows, reviews.checksum, refused)
    wanted = (expected.scored.rows, expected.scored.checksum, expected.quarantined)
    if found != wanted:
        raise InfrastructureError(
            f"Staging holds (reviews, checksum, quarantined) {found}, the manifest says {wanted}.", "make nightly"
        )
    if _newest_publication(c) != expected.baseline:
        raise InfrastructureError(
            "Another night was published since this one's novelty was told, so new and known may be wrong.",
            "clear the task `score` in Airflow, or: make nightly",
        )


def _supersede(c: sa.Connection, run: ledger.Run) -> None:
    """Take back the nights this run was asked to replace; other dumps of the same night, by any model."""
    replaced = (
        c.execute(
            sa.text(
                "UPDATE sentiment.run SET status = 'superseded' WHERE night = :night AND source = :source "
                "AND status = 'published' AND dump_id <> :dump_id RETURNING run_id"
            ),
            {"night": run.night, "source": run.source, "dump_id": run.dump_id},
        )
        .scalars()
        .all()
    )
    if not replaced:
        return
    if run.supersedes is None or not run.reason:
        raise DataError(
            f"Night {run.night} was published as {replaced[0]} meanwhile, and this run was not asked to replace it.",
            "make nightly SUPERSEDE='why'",
        )
    keys = {"night": run.night, "source": run.source}
    for table in ("sentiment.night_review", "sentiment.film_night", "drift.profile_metrics"):
        c.execute(sa.text(f"DELETE FROM {table} WHERE night = :night AND source = :source"), keys)
    log.info("superseded %s", ", ".join(replaced))


def _merge(c: sa.Connection, run: ledger.Run, staging: Staging) -> int:
    values = {"night": run.night, "source": run.source, "model_id": run.model_id, "run_id": run.run_id}
    config = settings.load()
    values |= {"low": config.uncertain_low, "high": config.uncertain_high}
    c.execute(sa.text("SELECT sentiment.ensure_month(:night)"), values)
    c.exec_driver_sql(
        "CREATE TEMP TABLE staged ON COMMIT DROP AS SELECT DISTINCT ON (file_no, record_no) * "
        f"FROM {staging.table('review')} ORDER BY file_no, record_no"
    )
    c.exec_driver_sql("ANALYZE staged")
    c.execute(sa.text(UPSERT_REVIEW), values)
    c.execute(sa.text(INSERT_NIGHT), values)
    c.execute(sa.text(UPSERT_SENTIMENT), values)
    c.execute(sa.text(UPSERT_FILM_NIGHT), values)
    c.execute(sa.text(INSERT_QUARANTINE.format(table=staging.table("quarantine"))), values)
    c.execute(sa.text(INSERT_PROFILE.format(table=staging.table("profile"))), values)
    if run.supersedes:
        c.execute(sa.text(DELETE_ORPHANS), values)
    published: int = c.execute(
        sa.text(
            "SELECT count(*) FROM sentiment.night_review n JOIN sentiment.review_sentiment s "
            "ON s.review_id = n.review_id AND s.model_id = :model_id WHERE n.night = :night AND n.source = :source"
        ),
        values,
    ).scalar_one()
    return published


UPSERT_REVIEW = f"""
INSERT INTO sentiment.review AS r (review_id, source, {", ".join(contract.CONTENT)}, text_hash, content_hash,
  first_night, last_night, run_id)
SELECT review_id, source, {", ".join(contract.CONTENT)}, text_hash, content_hash, :night, :night, :run_id FROM staged
ON CONFLICT (review_id) DO UPDATE SET first_night = least(r.first_night, excluded.first_night), {
    ", ".join(f"{c} = CASE WHEN excluded.last_night >= r.last_night THEN excluded.{c} ELSE r.{c} END" for c in FACTS)
}
"""
"""Newest facts win by night, so an older night published late overwrites nothing newer."""

INSERT_NIGHT = """
INSERT INTO sentiment.night_review (night, source, file_no, record_no, review_id, content_hash, novelty, run_id)
SELECT :night, source, file_no, record_no, review_id, content_hash, novelty, :run_id FROM staged
ON CONFLICT (night, source, file_no, record_no) DO NOTHING
"""

UPSERT_SENTIMENT = """
INSERT INTO sentiment.review_sentiment AS t (review_id, model_id, label, score, p_positive, probabilities,
  n_wordpieces, n_chunks, text_hash, run_id, scored_at)
SELECT s.review_id, :model_id, s.label, s.score, s.p_positive, s.probabilities::jsonb, s.n_wordpieces, s.n_chunks,
  s.text_hash, :run_id, s.scored_at
FROM staged s JOIN sentiment.review r ON r.review_id = s.review_id AND r.text_hash = s.text_hash
ON CONFLICT (review_id, model_id) DO UPDATE SET label = excluded.label, score = excluded.score,
  p_positive = excluded.p_positive, probabilities = excluded.probabilities, n_wordpieces = excluded.n_wordpieces,
  n_chunks = excluded.n_chunks, text_hash = excluded.text_hash, run_id = excluded.run_id,
  scored_at = excluded.scored_at WHERE t.text_hash <> excluded.text_hash
"""

UPSERT_FILM_NIGHT = f"""
INSERT INTO sentiment.film_night (night, source, item_id, model_id, n, n_positive, n_uncertain, n_fresh,
  n_fresh_positive, sum_logit, sum_logit_sq, run_id)
SELECT :night, :source, coalesce(item_id, ''), :model_id, count(*), count(*) FILTER (WHERE p_positive >= 0.5),
  count(*) FILTER (WHERE p_positive BETWEEN :low AND :high), count(*) FILTER (WHERE fresh),
  count(*) FILTER (WHERE fresh AND p_positive >= 0.5), coalesce(sum(logit) FILTER (WHERE fresh), 0),
  coalesce(sum(logit * logit) FILTER (WHERE fresh), 0), :run_id
FROM (SELECT item_id, p_positive, novelty <> 'known' AS fresh,
        {contract.LOGIT_SQL} AS logit
      FROM staged) AS s
GROUP BY coalesce(item_id, '')
ON CONFLICT (night, source, item_id, model_id) DO NOTHING
"""

INSERT_QUARANTINE = """
INSERT INTO sentiment.quarantine (run_id, file_no, record_no, reasons, details, raw, raw_bytes, raw_sha256, byte_offset)
SELECT DISTINCT ON (file_no, record_no) :run_id, file_no, record_no, reasons, details, raw, raw_bytes, raw_sha256,
  byte_offset FROM {table} ORDER BY file_no, record_no
ON CONFLICT (run_id, file_no, record_no) DO NOTHING
"""

PROFILE_COLUMNS = (
    "slice_key, slice_value, column_name, data_type, n, n_null, avg, stddev, min, max, avg_length, edges_id, "
    "bin_counts, n_items, sum_item_sq, sum_item_cross, sum_item_n_sq"
)

INSERT_PROFILE = f"""
INSERT INTO drift.profile_metrics (night, source, model_id, {PROFILE_COLUMNS}, run_id)
SELECT DISTINCT ON (slice_key, slice_value, column_name) :night, :source, :model_id, {PROFILE_COLUMNS}, :run_id
FROM {{table}} ORDER BY slice_key, slice_value, column_name
ON CONFLICT (night, source, model_id, slice_key, slice_value, column_name) DO NOTHING
"""

DELETE_ORPHANS = """
WITH gone AS (
  DELETE FROM sentiment.review r WHERE r.source = :source AND r.last_night = :night AND r.first_night = :night
    AND NOT EXISTS (SELECT 1 FROM sentiment.night_review n WHERE n.review_id = r.review_id)
  RETURNING review_id)
DELETE FROM sentiment.review_sentiment s USING gone WHERE s.review_id = gone.review_id
"""
"""Reviews that only the replaced dump held."""
