"""Make a night visible, once and whole: one transaction that locks, checks, merges and writes the ledger.

A later look at the ledger decides what happened; a lost answer to COMMIT is no reason to guess.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from sentiment import contract, settings
from sentiment.database import transaction
from sentiment.errors import DataError, InfrastructureError
from sentiment.runs import attempts, opening, phases
from sentiment.runs.model import Run
from sentiment.schemas import PROFILE, VERSION
from sentiment.store.staging import Staging
from sentiment.workspace import Part

log = logging.getLogger(__name__)

LOCK_KEY = 7_301_844_150_923_002
WORK_MEMORY = "128MB"
VERSION_COLUMNS = ", ".join(VERSION)


@dataclass(frozen=True)
class Expected:
    """What `score` and `validate` left: the merge refuses a staging that says otherwise."""

    scored: Part
    quarantined: int
    baseline: str | None
    """The source's newest publication when novelty was told, as the ledger names it."""


RESCORE = "rescore"
"""The step that publishes a night once more, by another model."""


def newest_publication(source: str) -> str | None:
    """The run of that source published last, rescored nights aside: novelty is told against it."""
    with transaction() as c:
        return _newest_publication(c, source)


def _newest_publication(c: sa.Connection, source: str) -> str | None:
    found: str | None = c.execute(
        sa.text(
            "SELECT run_id FROM sentiment.run r WHERE published_at IS NOT NULL AND source = :source AND NOT EXISTS ("
            "SELECT 1 FROM sentiment.run_step s WHERE s.run_id = r.run_id AND s.step = :rescore) "
            "ORDER BY published_at DESC LIMIT 1"
        ),
        {"source": source, "rescore": RESCORE},
    ).scalar()
    return found


def is_newest_night(c: sa.Connection, night: date, source: str) -> bool:
    """Whether no night from `night` on is published: then `review` is what came before it."""
    query = "SELECT 1 FROM sentiment.run WHERE source = :source AND night >= :night AND status = 'published'"
    return c.execute(sa.text(query), {"source": source, "night": night}).first() is None


def known_before(night: date, source: str) -> str:
    """SQL: `review_id` and `known_hash`, the content that the nights before `night` last showed of each review."""
    with transaction() as c:
        if is_newest_night(c, night, source):
            return f"SELECT review_id, content_hash AS known_hash FROM sentiment.review WHERE source = '{source}'"
    return (
        "SELECT DISTINCT ON (review_id) review_id, content_hash AS known_hash FROM sentiment.night_review "
        f"WHERE source = '{source}' AND night < '{night}' ORDER BY review_id, night DESC"
    )


def merge(run: Run, step: attempts.Attempt, expected: Expected) -> None:
    """Publish what is staged, or nothing.

    Raises StaleAttemptError for an older attempt, InfrastructureError where staging is incomplete, another
    publisher holds the lock too long, or another night was published since novelty was told.
    """
    staging = Staging(run.run_id, step.token)
    phases.reached("staged")
    try:
        with transaction() as c:
            lock(c)
            phases.reached("locked")
            status = c.execute(
                sa.text("SELECT status FROM sentiment.run WHERE run_id = :run_id FOR UPDATE"), {"run_id": run.run_id}
            ).scalar_one()
            step.check_fence(c)
            if status == "superseded":
                raise DataError(
                    f"Run {run.run_id} was superseded, so it can't be published again by clearing its tasks.",
                    opening.rerun_command(run, supersede=True),
                )
            if status != "published":
                _publish(c, run, step, staging, expected)
            phases.reached("before commit")
    except DBAPIError as error:
        raise InfrastructureError(f"Publishing failed: {str(error.orig).strip()}", "sentiment runs") from error
    phases.reached("after commit")
    staging.drop()
    phases.reached("cleaned")


def _publish(c: sa.Connection, run: Run, step: attempts.Attempt, staging: Staging, expected: Expected) -> None:
    staged = _checked(c, run, staging, expected)
    replaced = _supersede(c, run)
    step.counts["published"] = _merge(c, run, staging, staged, replaced)
    if step.counts["published"] != expected.scored.rows:
        raise InfrastructureError(
            f"{step.counts['published']:,} reviews would be visible, {expected.scored.rows:,} were scored.",
            f"sentiment run show {run.run_id}",
        )
    phases.reached("merged")
    c.execute(
        sa.text(
            "UPDATE sentiment.run SET status = 'published', published_at = clock_timestamp(), "
            "finished_at = clock_timestamp() WHERE run_id = :run_id"
        ),
        {"run_id": run.run_id},
    )
    attempts.finish_in(c, step)


def lock(c: sa.Connection) -> None:
    """Let nobody else publish until the transaction ends."""
    c.exec_driver_sql(f"SET LOCAL statement_timeout = '{settings.load().statement_timeout_s}s'")
    c.exec_driver_sql(f"SET LOCAL work_mem = '{WORK_MEMORY}'")
    c.exec_driver_sql("SET LOCAL client_connection_check_interval = '2s'")  # a killed publisher lets go of the lock
    c.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK_KEY})")


def _checked(c: sa.Connection, run: Run, staging: Staging, expected: Expected) -> str:
    """The relation to merge from: the staging table, or, where Spark wrote rows twice, a copy without the second."""
    table = staging.table("review")
    c.exec_driver_sql(f"ANALYZE {table} (review_id, item_id, novelty)")
    reviews = c.exec_driver_sql(
        f"SELECT sum(times)::bigint AS written, count(*) AS rows, {contract.KEY_CHECKSUM_SQL} AS checksum FROM "
        f"(SELECT file_no, record_no, review_id, count(*) AS times FROM {table} GROUP BY 1, 2, 3) AS once"
    ).one()
    refused = c.exec_driver_sql(
        f"SELECT count(*) FROM (SELECT DISTINCT file_no, record_no FROM {staging.table('quarantine')}) AS once"
    ).scalar_one()
    found = (reviews.rows, reviews.checksum, refused)
    wanted = (expected.scored.rows, expected.scored.checksum, expected.quarantined)
    if found != wanted:
        raise InfrastructureError(
            f"Staging holds (reviews, checksum, quarantined) {found}, the manifest says {wanted}.",
            opening.rerun_command(run),
        )
    if _newest_publication(c, run.source) != expected.baseline:
        raise InfrastructureError(
            "Another night was published since this one's novelty was told, so new and known may be wrong.",
            f"clear the task `score` in Airflow, or: {opening.rerun_command(run)}",
        )
    if reviews.written in {None, reviews.rows}:
        return table
    c.exec_driver_sql(
        f"CREATE TEMP TABLE staged ON COMMIT DROP AS SELECT DISTINCT ON (file_no, record_no) * FROM {table} "
        "ORDER BY file_no, record_no"
    )
    c.exec_driver_sql("ANALYZE staged")
    return "staged"


def _supersede(c: sa.Connection, run: Run) -> list[str]:
    """Take back the night this run was asked to replace, by whatever model; what it touched is left in `unsettled`.

    That night is another dump's, or, where a run was requeued, the same dump's.
    """
    keys = {"night": run.night, "source": run.source, "dump_id": run.dump_id, "requeue_of": run.requeue_of}
    c.exec_driver_sql("CREATE TEMP TABLE unsettled (review_id text NOT NULL) ON COMMIT DROP")
    replaced = (
        c.execute(
            sa.text(
                "UPDATE sentiment.run SET status = 'superseded' WHERE night = :night AND source = :source "
                "AND status = 'published' AND (dump_id <> :dump_id OR :requeue_of IS NOT NULL) RETURNING run_id"
            ),
            keys,
        )
        .scalars()
        .all()
    )
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
    c.execute(
        sa.text(
            "WITH gone AS (DELETE FROM sentiment.night_review WHERE night = :night AND source = :source "
            "RETURNING review_id) INSERT INTO unsettled SELECT DISTINCT review_id FROM gone"
        ),
        keys,
    )
    for table in ("sentiment.film_night", "drift.profile_metrics"):
        c.execute(sa.text(f"DELETE FROM {table} WHERE night = :night AND source = :source"), keys)
    log.info("superseded %s", ", ".join(replaced))
    return list(replaced)


def _merge(c: sa.Connection, run: Run, staging: Staging, staged: str, replaced: list[str]) -> int:
    values = {
        "night": run.night,
        "source": run.source,
        "model_id": run.model_id,
        "run_id": run.run_id,
        "replaced": replaced,
    }
    newest = not replaced and is_newest_night(c, run.night, run.source)
    scope = {"staged": staged, "differing": "s.novelty = 'changed'" if newest else "s.text IS NOT NULL"}
    c.execute(sa.text("SELECT sentiment.ensure_month(:night)"), values)
    inserts = (INSERT_REVIEW, INSERT_NIGHT) if newest else (INSERT_MISSING_REVIEW, INSERT_MISSING_NIGHT)
    for statement in (KEEP_VERSIONS, *inserts):
        c.execute(sa.text(statement.format(**scope)), values)
    _settle(c, values)
    for statement in RESTATE if replaced else ():
        c.execute(sa.text(statement), values)
    n_new = c.execute(sa.text(INSERT_SENTIMENT.format(**scope)), values).rowcount if newest else 0
    scores = (UPSERT_SENTIMENT,) if newest else (UPSERT_SHOWN_SENTIMENT, FIRST_NIGHT)
    titles = _titles(c, run, newest, bool(replaced))
    for statement in (DROP_OTHER_SENTENCES, *scores, INSERT_SENTENCES, INSERT_FILM_NIGHT, *titles):
        c.execute(sa.text(statement.format(**scope)), values)
    c.execute(sa.text(INSERT_QUARANTINE.format(table=staging.table("quarantine"))), values)
    if run.requeue_of:
        c.execute(sa.text(LINK_REQUEUED), values)
    c.execute(sa.text(INSERT_PROFILE.format(table=staging.table("profile"))), values)
    n_others: int = c.execute(sa.text(PUBLISHED.format(**scope, newest=newest)), values).scalar_one()
    return n_new + n_others


def _titles(c: sa.Connection, run: Run, newest: bool, replaces: bool) -> tuple[str, ...]:
    """Statements that leave each film with the newest title."""
    if not replaces:
        return (ITEM_NEWEST if newest else ITEM_MISSING,)
    is_last = is_newest_night(c, run.night + timedelta(days=1), run.source)
    return DROP_TITLES, *((ITEM_MISSING, TITLES_AGAIN) if is_last else (TITLES_AGAIN, ITEM_MISSING))


def _settle(c: sa.Connection, values: dict[str, object]) -> None:
    """Make every unsettled review what the newest night that holds it says."""
    if c.exec_driver_sql("SELECT 1 FROM unsettled LIMIT 1").first() is None:
        return
    c.exec_driver_sql("ANALYZE unsettled")
    for statement in SETTLE[:CHOSEN]:
        c.execute(sa.text(statement), values)
    lost = c.exec_driver_sql(LOST_VERSIONS).one()
    if lost.n:
        raise DataError(
            f"{lost.n:,} reviews, like {lost.review_id}, would have to show a version that is not kept any more.",
            "supersede within SENTIMENT_KEEP_SUPERSEDED_DAYS, list these reviews in the dump, or restore a backup",
        )
    for statement in SETTLE[CHOSEN:]:
        c.execute(sa.text(statement), values)


KEEP_VERSIONS = f"""
WITH other AS (
  INSERT INTO sentiment.review_version AS v (review_id, source, {VERSION_COLUMNS}, run_id, sentiments)
  SELECT s.review_id, :source, {", ".join(f"s.{column}" for column in VERSION)}, :run_id,
    jsonb_build_array(jsonb_build_object('review_id', s.review_id, 'model_id', cast(:model_id AS text),
      'label', s.label, 'score', s.score, 'p_positive', s.p_positive, 'probabilities', s.probabilities::jsonb,
      'n_wordpieces', s.n_wordpieces, 'n_chunks', s.n_chunks, 'text_hash', s.text_hash, 'scored_at', s.scored_at,
      'sentences', s.sentences::jsonb))
  FROM {{staged}} s JOIN sentiment.review r USING (review_id)
  WHERE {{differing}} AND s.content_hash <> r.content_hash
  ON CONFLICT (review_id, content_hash) DO UPDATE SET run_id = excluded.run_id,
    sentiments = coalesce((SELECT jsonb_agg(said) FROM jsonb_array_elements(v.sentiments) AS said
      WHERE said->>'model_id' <> :model_id OR (said->>'scored_at')::timestamptz >= (
        excluded.sentiments->0->>'scored_at')::timestamptz), '[]') || excluded.sentiments
  RETURNING review_id)
INSERT INTO unsettled SELECT review_id FROM other
"""
"""What differs from the version shown is put aside first; SETTLE then decides by night which one is shown."""

INSERT_REVIEW = f"""
INSERT INTO sentiment.review (review_id, source, {VERSION_COLUMNS}, first_night, run_id)
SELECT review_id, :source, {VERSION_COLUMNS}, :night, :run_id FROM {{staged}} WHERE novelty = 'new'
"""
"""In the newest night what is new is in no table yet; ON CONFLICT would look every key up once more."""
INSERT_MISSING_REVIEW = INSERT_REVIEW.replace("novelty = 'new'", "text IS NOT NULL") + "ON CONFLICT DO NOTHING"

INSERT_NIGHT = """
INSERT INTO sentiment.night_review (night, source, file_no, record_no, review_id, content_hash, novelty, run_id)
SELECT :night, :source, file_no, record_no, review_id, content_hash, novelty, :run_id FROM {staged}
ORDER BY record_no, file_no
"""
"""Each file's records in order, so that the primary key grows at its ends; numbers differ more often than files."""
INSERT_MISSING_NIGHT = INSERT_NIGHT + "ON CONFLICT DO NOTHING"

SENTENCE = "sentence_no smallint, begin_char int, end_char int, label text, score double precision"
SENTENCE_COLUMNS = ", ".join(column.split()[0] for column in SENTENCE.split(", "))
SENTENCE_VALUES = ", ".join(f"e.{column}" for column in SENTENCE_COLUMNS.split(", "))
SENTENCES_THERE = ", ".join(f"t.{column}" for column in SENTENCE_COLUMNS.split(", "))
SENTENCES_OF = f"""(SELECT jsonb_agg(to_jsonb(e)) FROM (SELECT {SENTENCE_COLUMNS} FROM sentiment.sentence_sentiment n
  WHERE n.review_id = s.review_id AND n.model_id = s.model_id) AS e)"""

_NOT_SCORED_AT = """NOT EXISTS (
  SELECT 1 FROM sentiment.review_sentiment t
  WHERE t.review_id = s.review_id AND t.model_id = :model_id AND t.text_hash = s.text_hash
    AND t.scored_at %s s.scored_at)"""
_NOT_SCORED_LATER = _NOT_SCORED_AT % ">"
DROP_OTHER_SENTENCES = f"""
DELETE FROM sentiment.sentence_sentiment t USING {{staged}} s JOIN sentiment.review r USING (review_id, content_hash)
WHERE s.sentences IS NOT NULL AND t.review_id = s.review_id AND t.model_id = :model_id AND {_NOT_SCORED_LATER}
  AND NOT EXISTS (
    SELECT 1 FROM {{staged}} x CROSS JOIN LATERAL jsonb_to_recordset(x.sentences::jsonb) AS e({SENTENCE})
    WHERE x.review_id = t.review_id AND ({SENTENCE_VALUES}) = ({SENTENCES_THERE}))
"""
"""What newer rules split or score otherwise."""
INSERT_SENTENCES = f"""
INSERT INTO sentiment.sentence_sentiment (review_id, model_id, {SENTENCE_COLUMNS})
SELECT s.review_id, :model_id, {SENTENCE_VALUES}
FROM {{staged}} s JOIN sentiment.review r USING (review_id, content_hash)
CROSS JOIN LATERAL jsonb_to_recordset(s.sentences::jsonb) AS e({SENTENCE})
WHERE s.sentences IS NOT NULL AND {_NOT_SCORED_LATER} AND jsonb_array_length(s.sentences::jsonb) > (
  SELECT count(*) FROM sentiment.sentence_sentiment t WHERE t.review_id = s.review_id AND t.model_id = :model_id)
ON CONFLICT (review_id, model_id, sentence_no) DO NOTHING
"""
"""Offsets are those of the version that is shown; where all sentences are there already, nothing is compared."""

SETTLE = (
    """
CREATE TEMP TABLE right_version ON COMMIT DROP AS
SELECT review_id, (SELECT n.content_hash FROM sentiment.night_review n WHERE n.review_id = u.review_id
                   ORDER BY n.night DESC LIMIT 1) AS content_hash
FROM (SELECT DISTINCT review_id FROM unsettled) u""",
    """
WITH gone AS (
  DELETE FROM sentiment.review r USING right_version w
  WHERE r.review_id = w.review_id AND w.content_hash IS NULL AND r.first_night >= :night RETURNING r.review_id),
scores AS (DELETE FROM sentiment.review_sentiment s USING gone WHERE s.review_id = gone.review_id),
sentences AS (DELETE FROM sentiment.sentence_sentiment s USING gone WHERE s.review_id = gone.review_id)
DELETE FROM sentiment.review_version v USING gone WHERE v.review_id = gone.review_id""",
    """
DELETE FROM right_version w USING sentiment.review r
WHERE r.review_id = w.review_id
  AND (r.content_hash = w.content_hash OR (w.content_hash IS NULL AND r.run_id <> ALL(:replaced)))""",
    f"""
INSERT INTO sentiment.review_version (review_id, source, {VERSION_COLUMNS}, run_id, sentiments)
SELECT r.review_id, r.source, {", ".join(f"r.{column}" for column in VERSION)}, r.run_id,
  coalesce((SELECT jsonb_agg(to_jsonb(s) || jsonb_build_object('sentences', {SENTENCES_OF}))
            FROM sentiment.review_sentiment s WHERE s.review_id = r.review_id AND s.text_hash = r.text_hash), '[]')
FROM sentiment.review r JOIN right_version w USING (review_id)
ON CONFLICT (review_id, content_hash) DO UPDATE SET sentiments = excluded.sentiments, run_id = excluded.run_id""",
    """
DELETE FROM sentiment.sentence_sentiment s
USING right_version w JOIN sentiment.review_version v USING (review_id, content_hash), sentiment.review r
WHERE s.review_id = w.review_id AND r.review_id = w.review_id AND r.text <> v.text""",
    f"""
UPDATE sentiment.review r SET {", ".join(f"{column} = v.{column}" for column in VERSION)}, run_id = v.run_id
FROM right_version w JOIN sentiment.review_version v USING (review_id, content_hash)
WHERE r.review_id = w.review_id""",
    """
DELETE FROM sentiment.review_sentiment s USING sentiment.review r, right_version w
WHERE s.review_id = w.review_id AND r.review_id = w.review_id AND s.text_hash <> r.text_hash""",
    """
INSERT INTO sentiment.review_sentiment (review_id, model_id, label, score, p_positive, probabilities, n_wordpieces,
  n_chunks, text_hash, run_id, scored_at)
SELECT s.review_id, s.model_id, s.label, s.score, s.p_positive, s.probabilities, s.n_wordpieces, s.n_chunks,
  s.text_hash, v.run_id, s.scored_at
FROM right_version w JOIN sentiment.review_version v USING (review_id, content_hash)
CROSS JOIN LATERAL jsonb_populate_recordset(NULL::sentiment.review_sentiment, v.sentiments) AS s
ON CONFLICT (review_id, model_id) DO NOTHING""",
    f"""
INSERT INTO sentiment.sentence_sentiment (review_id, model_id, {SENTENCE_COLUMNS})
SELECT w.review_id, s.said->>'model_id', {SENTENCE_VALUES}
FROM right_version w JOIN sentiment.review_version v USING (review_id, content_hash)
CROSS JOIN LATERAL jsonb_array_elements(v.sentiments) AS s(said)
CROSS JOIN LATERAL jsonb_to_recordset(nullif(s.said->'sentences', 'null')) AS e({SENTENCE})
WHERE NOT EXISTS (SELECT 1 FROM sentiment.sentence_sentiment t
  WHERE t.review_id = w.review_id AND t.model_id = s.said->>'model_id')
ON CONFLICT (review_id, model_id, sentence_no) DO NOTHING""",
    """
DELETE FROM sentiment.review_version v USING unsettled u, sentiment.review r
WHERE v.review_id = u.review_id AND r.review_id = u.review_id AND (v.content_hash = r.content_hash OR NOT EXISTS (
  SELECT 1 FROM sentiment.night_review n WHERE n.review_id = v.review_id AND n.content_hash = v.content_hash))""",
)
"""Gone from every night: deleted. Otherwise the version of the newest night is shown, and the other one kept
for as long as some night says it."""

CHOSEN = 3
"""So many statements of SETTLE leave in `right_version` the reviews whose version changes, and what it is to be."""
LOST_VERSIONS = """
SELECT count(*) AS n, min(review_id) AS review_id FROM right_version w WHERE EXISTS (
  SELECT 1 FROM sentiment.review r WHERE r.review_id = w.review_id) AND NOT EXISTS (
  SELECT 1 FROM sentiment.review_version v WHERE v.review_id = w.review_id AND v.content_hash = w.content_hash)"""

RESTATE = (
    """
UPDATE sentiment.review r SET run_id = (
  SELECT n.run_id FROM sentiment.night_review n WHERE n.review_id = r.review_id AND n.content_hash = r.content_hash
  ORDER BY n.night LIMIT 1)
FROM unsettled u WHERE r.review_id = u.review_id AND r.run_id = ANY(:replaced)""",
    """
UPDATE sentiment.review_version v SET run_id = (
  SELECT n.run_id FROM sentiment.night_review n WHERE n.review_id = v.review_id AND n.content_hash = v.content_hash
  ORDER BY n.night LIMIT 1)
FROM unsettled u WHERE v.review_id = u.review_id AND v.run_id = ANY(:replaced)""",
    """
UPDATE sentiment.review_sentiment s SET run_id = r.run_id FROM unsettled u JOIN sentiment.review r USING (review_id)
WHERE s.review_id = u.review_id AND s.run_id = ANY(:replaced)""",
    """
UPDATE sentiment.review r SET first_night = held.night FROM (
  SELECT review_id, min(n.night) AS night FROM unsettled JOIN sentiment.night_review n USING (review_id) GROUP BY 1
) AS held WHERE r.review_id = held.review_id AND r.first_night = :night AND held.night > :night""",
)
"""Nothing that stays may name a superseded run, nor a first night that no longer holds it."""

FIRST_NIGHT = """
UPDATE sentiment.review r SET first_night = :night FROM {staged} s
WHERE r.review_id = s.review_id AND r.first_night > :night
"""

INSERT_SENTIMENT = """
INSERT INTO sentiment.review_sentiment AS t (review_id, model_id, label, score, p_positive, probabilities,
  n_wordpieces, n_chunks, text_hash, run_id, scored_at)
SELECT s.review_id, :model_id, s.label, s.score, s.p_positive, s.probabilities::jsonb, s.n_wordpieces, s.n_chunks,
  s.text_hash, :run_id, s.scored_at
FROM {staged} s WHERE s.novelty = 'new'
"""
_UPSERT = (
    INSERT_SENTIMENT.replace("s.novelty = 'new'", "%s")
    + """
ON CONFLICT (review_id, model_id) DO UPDATE SET label = excluded.label, score = excluded.score,
  p_positive = excluded.p_positive, probabilities = excluded.probabilities, n_wordpieces = excluded.n_wordpieces,
  n_chunks = excluded.n_chunks, text_hash = excluded.text_hash, run_id = excluded.run_id,
  scored_at = excluded.scored_at
"""
)
_NOT_SCORED = _NOT_SCORED_AT % ">="
"""A later score of the same text may be by newer rules (`registry.EARLIER_RULES`), and replaces the earlier one."""
UPSERT_SENTIMENT = _UPSERT % f"s.novelty <> 'new' AND {_NOT_SCORED}"
_SHOWN = """EXISTS (
  SELECT 1 FROM sentiment.review r WHERE r.review_id = s.review_id AND r.text_hash = s.text_hash)"""
UPSERT_SHOWN_SENTIMENT = _UPSERT % f"{_NOT_SCORED} AND {_SHOWN}"
"""A score of a text that is not the one shown (an older night, late) stays with its kept version."""

INSERT_FILM_NIGHT = f"""
INSERT INTO sentiment.film_night (night, source, item_id, model_id, n, n_positive, n_uncertain, n_fresh,
  n_fresh_positive, sum_logit, sum_logit_sq, run_id)
SELECT :night, :source, coalesce(item_id, ''), :model_id, count(*), count(*) FILTER (WHERE positive),
  count(*) FILTER (WHERE uncertain), count(*) FILTER (WHERE fresh), count(*) FILTER (WHERE fresh AND positive),
  coalesce(sum(logit) FILTER (WHERE fresh), 0), coalesce(sum(logit * logit) FILTER (WHERE fresh), 0), :run_id
FROM (SELECT item_id, novelty <> 'known' AS fresh, label = m.positive_label AS positive,
        CASE WHEN p_positive IS NULL THEN score <= m.uncertain_high
          ELSE p_positive BETWEEN m.uncertain_low AND m.uncertain_high END AS uncertain,
        {contract.LOGIT_SQL} AS logit
      FROM {{staged}} CROSS JOIN (SELECT positive_label, uncertain_low, uncertain_high FROM sentiment.model
        WHERE model_id = :model_id) AS m) AS s
GROUP BY coalesce(item_id, '')
ON CONFLICT (night, source, item_id, model_id) DO NOTHING
"""

ITEM_MISSING = """
INSERT INTO sentiment.item AS i (source, item_id, item_type, item_title, run_id)
SELECT DISTINCT ON (item_id) :source, item_id, item_type, item_title, :run_id FROM (
  SELECT item_id, item_type, item_title, min(ARRAY[file_no, record_no]) AS place FROM {staged}
  WHERE item_id IS NOT NULL AND item_title IS NOT NULL GROUP BY 1, 2, 3) AS named ORDER BY item_id, place
ON CONFLICT (source, item_id) DO NOTHING
"""
ITEM_NEWEST = ITEM_MISSING.replace(
    "DO NOTHING",
    "DO UPDATE SET item_type = excluded.item_type, item_title = excluded.item_title, run_id = excluded.run_id "
    "WHERE (i.item_type, i.item_title) IS DISTINCT FROM (excluded.item_type, excluded.item_title)",
)

DROP_TITLES = "DELETE FROM sentiment.item WHERE source = :source AND run_id = ANY(:replaced)"
TITLES_AGAIN = """
INSERT INTO sentiment.item (source, item_id, item_type, item_title, run_id)
SELECT DISTINCT ON (item_id) source, item_id, item_type, item_title, run_id FROM sentiment.review r
WHERE source = :source AND item_id IS NOT NULL AND item_title IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM sentiment.item i WHERE i.source = r.source AND i.item_id = r.item_id)
ORDER BY item_id, first_night DESC, review_id
"""
"""Of films whose title was the replaced night's: what reviews say."""

INSERT_QUARANTINE = """
INSERT INTO sentiment.quarantine (run_id, file_no, record_no, reasons, details, raw, raw_bytes, raw_sha256, byte_offset)
SELECT DISTINCT ON (file_no, record_no) :run_id, file_no, record_no, reasons, details, raw, raw_bytes, raw_sha256,
  byte_offset FROM {table} ORDER BY file_no, record_no
ON CONFLICT (run_id, file_no, record_no) DO NOTHING
"""

LINK_REQUEUED = """
UPDATE sentiment.quarantine q SET requeued_in = :run_id WHERE q.run_id = ANY(:replaced) AND NOT EXISTS (
  SELECT 1 FROM sentiment.quarantine again
  WHERE again.run_id = :run_id AND again.file_no = q.file_no AND again.record_no = q.record_no)
"""
"""What was refused then and is not refused now was taken by this run, be it as a duplicate."""

PUBLISHED = f"""
SELECT count(*) FROM {{staged}} s
WHERE NOT ({{newest}} AND s.novelty = 'new') AND (NOT {_SHOWN} OR EXISTS (
  SELECT 1 FROM sentiment.review_sentiment t WHERE t.review_id = s.review_id AND t.model_id = :model_id))
"""
"""Reviews, new ones of the newest night aside, that have their score, or that a newer night has overtaken."""

PROFILE_COLUMNS = ", ".join(PROFILE.staged)

INSERT_PROFILE = f"""
INSERT INTO drift.profile_metrics (night, source, model_id, {PROFILE_COLUMNS}, run_id)
SELECT DISTINCT ON (slice_key, slice_value, column_name) :night, :source, :model_id, {PROFILE_COLUMNS}, :run_id
FROM {{table}} ORDER BY slice_key, slice_value, column_name
ON CONFLICT (night, source, model_id, slice_key, slice_value, column_name) DO NOTHING
"""
