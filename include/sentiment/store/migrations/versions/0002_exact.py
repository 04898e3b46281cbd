"""Exact superseding, films by name, forgotten reviews, retired models; no foreign key checked row by row at load."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in (*TABLES, *FUNCTIONS, *_search(), *_views(), *SEARCH_REVIEWS, *GRANTS):
        op.execute(statement)
    with op.get_context().autocommit_block():
        for statement in _indexes():
            op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("replaced versions and forgotten reviews would be lost: restore a backup instead")


TABLES = [
    "DROP VIEW sentiment.v_review_sentiment, sentiment.v_daily_sentiment, sentiment.v_runs",
    "ALTER TABLE sentiment.review_sentiment DROP CONSTRAINT review_sentiment_model_id_fkey",
    "ALTER TABLE sentiment.review DROP COLUMN last_night",
    "ALTER TABLE sentiment.model ADD COLUMN retired_at timestamptz",
    "COMMENT ON COLUMN sentiment.model.retired_at IS 'when it was retired; its scores are removed some days later'",
    """
CREATE TABLE sentiment.review_version (
  review_id text NOT NULL, content_hash text NOT NULL, source text NOT NULL, item_id text, item_type text,
  item_title text, author text, rating numeric(2, 1), review_date date, title text, text text NOT NULL,
  polarity smallint, text_hash text NOT NULL, run_id text NOT NULL, sentiments jsonb NOT NULL,
  kept_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (review_id, content_hash))""",
    "COMMENT ON TABLE sentiment.review_version IS "
    "'Versions that are not the newest, kept so that superseding a night can bring them back; holds author names'",
    *(
        f"COMMENT ON COLUMN sentiment.review_version.{column} IS '{text}'"
        for column, text in {
            "review_id": "the review",
            "content_hash": "hash over every column that a later dump may change",
            "source": "where the review comes from",
            "item_id": "film or series, as the source names it",
            "item_type": "film or series",
            "item_title": "title of the film or series",
            "author": "name of the author, as published there",
            "rating": "stars given, 0.5 to 5.0",
            "review_date": "day the review was written",
            "title": "headline of the review",
            "text": "the review as it came, untouched",
            "polarity": "label in the dump: 0 negative, 1 positive",
            "text_hash": "SHA-256 of the NFC form of the text",
            "run_id": "the run that brought this version",
            "sentiments": "its rows of review_sentiment",
            "kept_at": "when it was put here",
        }.items()
    ),
    """
CREATE TABLE sentiment.item (
  source text NOT NULL, item_id text NOT NULL, item_type text, item_title text NOT NULL, run_id text NOT NULL,
  PRIMARY KEY (source, item_id))""",
    "COMMENT ON TABLE sentiment.item IS 'Films and series by name, for search; the newest title that a night brought'",
    "COMMENT ON COLUMN sentiment.item.source IS 'where the reviews come from'",
    "COMMENT ON COLUMN sentiment.item.item_id IS 'film or series, as the source names it'",
    "COMMENT ON COLUMN sentiment.item.item_type IS 'film or series'",
    "COMMENT ON COLUMN sentiment.item.item_title IS 'its title'",
    "COMMENT ON COLUMN sentiment.item.run_id IS 'the run that brought the title'",
    """
CREATE TABLE sentiment.forgotten (
  kind text NOT NULL CHECK (kind IN ('review', 'author')), key_hash text NOT NULL,
  forgotten_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (kind, key_hash))""",
    "COMMENT ON TABLE sentiment.forgotten IS "
    "'What a person asked to have removed, as hashes, so that the next dump does not bring it back'",
    "COMMENT ON COLUMN sentiment.forgotten.kind IS 'review or author'",
    "COMMENT ON COLUMN sentiment.forgotten.key_hash IS 'SHA-256 of kind, source and review id or author name'",
    "COMMENT ON COLUMN sentiment.forgotten.forgotten_at IS 'when'",
]

FUNCTIONS = [
    """
CREATE OR REPLACE FUNCTION sentiment.ensure_month(night date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  first date := date_trunc('month', night);
  part text := 'night_review_' || to_char(first, 'YYYYMM');
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('sentiment.ensure_month'));
  IF to_regclass('sentiment.' || part) IS NULL THEN
    -- ATTACH, unlike PARTITION OF, lets readers and writers of the other months go on.
    EXECUTE format('CREATE TABLE sentiment.%I (LIKE sentiment.night_review INCLUDING ALL)', part);
    EXECUTE format('COMMENT ON TABLE sentiment.%I IS %L', part, 'night_review of ' || to_char(first, 'YYYY-MM'));
    EXECUTE format('ALTER TABLE sentiment.night_review ATTACH PARTITION sentiment.%I FOR VALUES FROM (%L) TO (%L)',
                   part, first, first + interval '1 month');
  END IF;
END $$""",
    """
CREATE FUNCTION sentiment.drop_month(night date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE part text := 'night_review_' || to_char(night, 'YYYYMM');
BEGIN
  IF date_trunc('month', night) >= date_trunc('month', current_date) THEN
    RAISE EXCEPTION 'the month of % is not over', night;
  END IF;
  EXECUTE format('DROP TABLE IF EXISTS sentiment.%I', part);
END $$""",
    "COMMENT ON FUNCTION sentiment.drop_month IS 'Drops a past month''s partition of night_review: retention'",
]


def _indexes() -> list[str]:
    """Cheap at load (ratios in docs/architecture.md): BRIN by night, hash by review; built beside running nights."""
    said = [
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS review_first_night ON sentiment.review "
        "USING brin (first_night) WITH (autosummarize = on)",
        "CREATE INDEX IF NOT EXISTS night_review_holds ON ONLY sentiment.night_review USING hash (review_id)",
    ]
    query = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'sentiment.night_review'::regclass"
    for part in op.get_bind().execute(sa.text(query)).scalars().all():
        name = f"{part.partition('.')[2]}_holds"
        said += [
            f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {part} USING hash (review_id)",
            f"ALTER INDEX sentiment.night_review_holds ATTACH PARTITION sentiment.{name}",
        ]
    return [*said, "DROP INDEX IF EXISTS sentiment.night_review_review"]


def _search() -> list[str]:
    """Search of titles without accents: by trigrams where the server has the extensions, else by LIKE."""
    schemas = {name: _extension(name) for name in ("pg_trgm", "unaccent")}
    unaccent, trigrams = schemas["unaccent"], schemas["pg_trgm"]
    bare = f"{unaccent}.unaccent('{unaccent}.unaccent', said)" if unaccent else f"translate(said, '{FROM}', '{TO}')"
    plain = [
        "CREATE FUNCTION sentiment.plain(said text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT "
        f"RETURN lower({bare})",
        "COMMENT ON FUNCTION sentiment.plain IS 'Lower case, without accents: what titles are searched by'",
        r"""
CREATE FUNCTION sentiment.search_films(wanted text)
RETURNS TABLE (source text, item_id text, item_type text, item_title text) LANGUAGE sql STABLE AS $$
SELECT source, item_id, item_type, item_title FROM sentiment.item
WHERE sentiment.plain(item_title) LIKE '%' || regexp_replace(sentiment.plain(wanted), '([\\%_])', '\\\1', 'g') || '%'
ORDER BY length(item_title), item_title, item_id LIMIT 50 $$""",
        "COMMENT ON FUNCTION sentiment.search_films IS 'Films and series whose title holds the words, accents aside'",
    ]
    if not trigrams:
        return plain
    index = f"USING gin (sentiment.plain(item_title) {trigrams}.gin_trgm_ops)"
    return [*plain, f"CREATE INDEX item_title_words ON sentiment.item {index}"]


FROM, TO = "ÀÂÄÇÉÈÊËÎÏÔÖÙÛÜŸàâäçéèêëîïôöùûüÿ", "AAACEEEEIIOOUUUYaaaceeeeiioouuuy"


def _extension(name: str) -> str | None:
    """The schema it lives in, after making it where it may be made; None where the server lacks it."""
    bind = op.get_bind()
    if not bind.scalar(sa.text("SELECT 1 FROM pg_available_extensions WHERE name = :name"), {"name": name}):
        return None
    op.execute(f"CREATE EXTENSION IF NOT EXISTS {name} WITH SCHEMA public")
    query = "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = :name"
    return str(bind.scalar(sa.text(query), {"name": name}))


def _views() -> list[str]:
    said = []
    for view, (comment, columns, query) in VIEWS.items():
        said += [f"CREATE VIEW {view} AS {query}", f"COMMENT ON VIEW {view} IS '{comment}'"]
        said += [f"COMMENT ON COLUMN {view}.{column} IS '{text}'" for column, text in columns.items()]
    return said


LAST_GOOD = """(SELECT max(l.night) FROM sentiment.run l
    WHERE l.source = {of}.source AND l.model_id = {of}.model_id AND l.status = 'published')"""

VIEWS = {
    "sentiment.v_review_sentiment": (
        "Each review with its sentiment by the current model; authors are pseudonyms",
        {
            "review_id": "the review",
            "source": "where it comes from",
            "item_id": "film or series, as the source names it",
            "item_type": "film or series",
            "item_title": "title of the film or series",
            "author_pseudonym": "the same author has the same pseudonym",
            "rating": "stars given, 0.5 to 5.0",
            "review_date": "day it was written",
            "title": "headline",
            "text": "the review as it came",
            "polarity": "label in the dump: 0 negative, 1 positive",
            "label": "the most probable label",
            "score": "probability of that label, 0 to 1",
            "p_positive": "probability of the positive label",
            "n_wordpieces": "wordpieces of the whole text",
            "model_id": "the current model",
            "first_night": "first night whose dump held it",
            "last_night": "last night whose dump held it",
            "run_id": "the run that published the sentiment",
        },
        """
SELECT r.review_id, r.source, r.item_id, r.item_type, r.item_title,
  'a' || left(encode(sha256(convert_to(p.salt || r.author, 'UTF8')), 'hex'), 16) AS author_pseudonym,
  r.rating, r.review_date, r.title, r.text, r.polarity, s.label, s.score, s.p_positive, s.n_wordpieces,
  s.model_id, r.first_night,
  (SELECT max(n.night) FROM sentiment.night_review n WHERE n.review_id = r.review_id) AS last_night, s.run_id
FROM sentiment.review r
JOIN sentiment.review_sentiment s USING (review_id)
JOIN sentiment.model m ON m.model_id = s.model_id AND m.is_current
CROSS JOIN sentiment.pseudonym_salt p""",
    ),
    "sentiment.v_daily_sentiment": (
        "Each published night by the current model, with 95 percent Wilson intervals",
        {
            "night": "the night",
            "source": "where the reviews come from",
            "model_id": "the current model",
            "n_reviews": "reviews in the dump",
            "n_fresh": "reviews new or changed that night",
            "n_positive": "reviews labelled positive",
            "share_positive": "positive share, 0 to 1",
            "share_positive_low": "lower end of its interval",
            "share_positive_high": "upper end of its interval",
            "share_fresh_positive": "positive share of the fresh reviews",
            "n_uncertain": "reviews in the uncertain band",
            "n_items": "films and series",
            "is_last_good": "whether it is the newest published night of its source",
        },
        f"""
SELECT f.night, f.source, f.model_id, sum(n)::bigint AS n_reviews, sum(n_fresh)::bigint AS n_fresh,
  sum(n_positive)::bigint AS n_positive, (sum(n_positive) / nullif(sum(n), 0))::double precision AS share_positive,
  sentiment.wilson_low(sum(n_positive)::double precision, sum(n)::double precision) AS share_positive_low,
  sentiment.wilson_high(sum(n_positive)::double precision, sum(n)::double precision) AS share_positive_high,
  (sum(n_fresh_positive) / nullif(sum(n_fresh), 0))::double precision AS share_fresh_positive,
  sum(n_uncertain)::bigint AS n_uncertain, count(*) AS n_items,
  coalesce(f.night = {LAST_GOOD.format(of="f")}, false) AS is_last_good
FROM sentiment.film_night f JOIN sentiment.model m USING (model_id)
WHERE m.is_current
GROUP BY f.night, f.source, f.model_id""",
    ),
    "sentiment.v_runs": (
        "Every run with its counts; superseded ones stay",
        {
            "run_id": "the run",
            "night": "the night",
            "source": "where the reviews come from",
            "model_id": "the model",
            "dump_uri": "the dump as it was asked for",
            "status": "running, audited, published, failed or superseded",
            "rows_read": "records read",
            "rows_accepted": "reviews accepted",
            "rows_quarantined": "records quarantined",
            "rows_duplicate": "records that repeat a review",
            "rows_scored": "texts scored in this run",
            "rows_reused": "texts scored before",
            "rows_published": "reviews published",
            "verdict": "the night in one sentence",
            "reason": "why a person superseded or overrode",
            "airflow_run_id": "run id in Airflow",
            "code_version": "version of this project",
            "started_at": "when it began",
            "finished_at": "when it ended",
            "published_at": "when its rows became visible",
            "supersedes": "the run it was asked to replace",
            "is_last_good": "whether it published the newest night of its source and model",
        },
        f"""
SELECT r.run_id, r.night, r.source, r.model_id, d.uri AS dump_uri, r.status, r.rows_read, r.rows_accepted,
  r.rows_quarantined, r.rows_duplicate, r.rows_scored, r.rows_reused, r.rows_published, r.verdict, r.reason,
  r.airflow_run_id, r.code_version, r.started_at, r.finished_at, r.published_at, r.supersedes,
  coalesce(r.status = 'published' AND r.night = {LAST_GOOD.format(of="r")}, false) AS is_last_good
FROM sentiment.run r JOIN sentiment.dump d USING (dump_id)""",
    ),
}

SEARCH_REVIEWS = [
    r"""
CREATE FUNCTION sentiment.search_reviews(wanted text)
RETURNS TABLE (review_id text, source text, item_title text, review_date date, text text, label text,
  p_positive double precision) LANGUAGE sql STABLE AS $$
SELECT v.review_id, v.source, v.item_title, v.review_date, v.text, v.label, v.p_positive
FROM sentiment.v_review_sentiment v
WHERE sentiment.plain(v.text) LIKE '%' || regexp_replace(sentiment.plain(wanted), '([\\%_])', '\\\1', 'g') || '%'
ORDER BY v.review_date DESC NULLS LAST, v.review_id LIMIT 50 $$""",
    "COMMENT ON FUNCTION sentiment.search_reviews IS "
    "'Newest reviews whose text holds the words, accents aside; fast after sentiment db text-index'",
]

GRANTS = [
    "GRANT SELECT, INSERT, UPDATE, DELETE ON sentiment.review_version, sentiment.item, sentiment.forgotten "
    "TO sentiment_writer",
    "GRANT SELECT ON sentiment.v_review_sentiment, sentiment.v_daily_sentiment, sentiment.v_runs TO sentiment_writer",
    "GRANT SELECT ON sentiment.item, sentiment.v_review_sentiment, sentiment.v_daily_sentiment, sentiment.v_runs "
    "TO sentiment_reader",
    "REVOKE ALL ON FUNCTION sentiment.drop_month FROM PUBLIC",
    "GRANT EXECUTE ON FUNCTION sentiment.drop_month TO sentiment_writer",
]
