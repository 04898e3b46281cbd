"""Schemas, tables, views and grants of the first edition."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NOW = sa.text("now()")


def _id(name: str, comment: str, nullable: bool = False, **kwargs: object) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable, comment=comment, **kwargs)  # type: ignore[arg-type]


def _count(name: str, comment: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0", comment=comment)


def _number(name: str, comment: str) -> sa.Column[float]:
    return sa.Column(name, sa.Double, comment=comment)


def _when(name: str, comment: str, default: bool = False) -> sa.Column[object]:
    return sa.Column(
        name,
        sa.DateTime(timezone=True),
        nullable=not default,
        server_default=NOW if default else None,
        comment=comment,
    )


def upgrade() -> None:
    for schema, comment in SCHEMAS.items():
        op.execute(f"CREATE SCHEMA {schema}")
        op.execute(f"COMMENT ON SCHEMA {schema} IS '{comment}'")
    _ledger_tables()
    _review_tables()
    _drift_tables()
    for statement in FUNCTIONS:
        op.execute(statement)
    for view, (comment, columns, query) in VIEWS.items():
        op.execute(f"CREATE VIEW {view} AS {query}")
        op.execute(f"COMMENT ON VIEW {view} IS '{comment}'")
        for column, text in columns.items():
            op.execute(f"COMMENT ON COLUMN {view}.{column} IS '{text}'")
    for statement in GRANTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("the first edition has nothing to go back to: drop the database instead")


SCHEMAS = {
    "sentiment": "Published nights of French film reviews and their ledger",
    "drift": "What is watched from night to night, and against which reference",
    "staging": "Work tables of publishing attempts; nothing here is published",
}


def _ledger_tables() -> None:
    op.create_table(
        "dump",
        _id("dump_id", "hash of the sorted list of the files' SHA-256", primary_key=True),
        _id("source", "where the reviews come from"),
        _id("uri", "path, folder or glob as it was asked for"),
        _count("n_files", "files in the dump"),
        _count("n_bytes", "bytes as they lay there, compressed or not"),
        _count("n_records", "records read from all files"),
        _when("first_seen_at", "when this dump was first read", default=True),
        schema="sentiment",
        comment="One row a dump: what arrived, whenever it is used",
    )
    op.create_table(
        "dump_file",
        _id("dump_id", "the dump", primary_key=True),
        sa.Column(
            "file_no",
            sa.Integer,
            primary_key=True,
            autoincrement=False,
            comment="position in the sorted list, from 0",
        ),
        _id("uri", "path of the file"),
        _id("sha256", "SHA-256 of the file as it lay there"),
        _id("format", "jsonl or csv"),
        _id("compression", "none or gzip"),
        _count("n_bytes", "bytes as they lay there"),
        _count("n_records", "records read"),
        sa.ForeignKeyConstraint(["dump_id"], ["sentiment.dump.dump_id"]),
        schema="sentiment",
        comment="One row a file of a dump",
    )
    op.create_table(
        "model",
        _id("model_id", "name the model goes by", primary_key=True),
        _id("name", "the name in words"),
        _id("language", "ISO 639-1 code"),
        _id("engine", "onnx or tensorflow"),
        _id("fingerprint", "SHA-256 over weights, vocabulary, labels, length, chunk rule, preparation"),
        sa.Column("labels", ARRAY(sa.Text), nullable=False, comment="label names in the network's order"),
        _id("source_uri", "where the model's files came from"),
        _id("spark_nlp_version", "Spark NLP that registered it"),
        sa.Column(
            "is_current",
            sa.Boolean,
            nullable=False,
            server_default=sa.false(),
            comment="whether the views show this model",
        ),
        _when("registered_at", "when it was registered", default=True),
        schema="sentiment",
        comment="One row a model that has scored or may score",
    )
    op.create_index(
        "model_one_current",
        "model",
        ["is_current"],
        unique=True,
        schema="sentiment",
        postgresql_where=sa.text("is_current"),
    )
    op.create_table(
        "run",
        _id("run_id", "the run", primary_key=True),
        sa.Column("night", sa.Date, nullable=False, comment="Paris date the dump stands for"),
        _id("source", "where the reviews come from"),
        _id("dump_id", "the dump that was read"),
        _id("model_id", "the model that scored"),
        _id("airflow_run_id", "run id in Airflow", nullable=True),
        _id("status", "running, audited, published, failed or superseded"),
        _count("rows_read", "records read from the dump"),
        _count("rows_accepted", "reviews that passed every rule, duplicates taken out"),
        _count("rows_quarantined", "records that failed a rule"),
        _count("rows_duplicate", "records that say a review of the same dump again"),
        _count("rows_scored", "accepted reviews whose text the model scored in this run"),
        _count("rows_reused", "accepted reviews whose text the same model had scored before"),
        _count("rows_published", "reviews visible from this run"),
        _id("code_version", "version of this project that ran"),
        _id("supersedes", "the run this one was asked to replace", nullable=True),
        _id("verdict", "the night in one sentence", nullable=True),
        _id("reason", "why a person superseded or overrode", nullable=True),
        _when("started_at", "when the dump was first taken up by this run", default=True),
        _when("published_at", "when its rows became visible"),
        _when("finished_at", "when its last step ended"),
        sa.ForeignKeyConstraint(["dump_id"], ["sentiment.dump.dump_id"]),
        sa.ForeignKeyConstraint(["model_id"], ["sentiment.model.model_id"]),
        sa.CheckConstraint("status IN ('running', 'audited', 'published', 'failed', 'superseded')", name="run_status"),
        schema="sentiment",
        comment="One row a run: a night, a source, a dump and a model",
    )
    op.create_index(
        "run_one_published",
        "run",
        ["night", "source", "model_id"],
        unique=True,
        schema="sentiment",
        postgresql_where=sa.text("status = 'published'"),
    )
    op.create_index(
        "run_identity",
        "run",
        ["night", "source", "dump_id", "model_id"],
        unique=True,
        schema="sentiment",
        postgresql_where=sa.text("status <> 'superseded'"),
    )
    op.execute("CREATE SEQUENCE sentiment.fence_token")
    op.execute("COMMENT ON SEQUENCE sentiment.fence_token IS 'A step start draws the next token'")
    op.create_table(
        "run_step",
        _id("run_id", "the run", primary_key=True),
        _id("step", "the task of the night", primary_key=True),
        sa.Column(
            "token",
            sa.BigInteger,
            primary_key=True,
            autoincrement=False,
            comment="fence token: only the newest start of a step may leave results",
        ),
        _id("state", "running, done or failed"),
        _count("rows_done", "rows worked so far"),
        _count("rows_total", "rows to work in all, 0 while unknown"),
        _id("error_kind", "class of the error that ended it", nullable=True),
        _id("error", "message of the error that ended it", nullable=True),
        _id("try_next", "command to type next", nullable=True),
        sa.Column("detail", JSONB, nullable=False, server_default="{}", comment="counts that the step leaves behind"),
        _when("started_at", "when this start drew its token", default=True),
        _when("heartbeat_at", "last sign of life", default=True),
        _when("finished_at", "when it ended"),
        sa.ForeignKeyConstraint(["run_id"], ["sentiment.run.run_id"]),
        sa.CheckConstraint("state IN ('running', 'done', 'failed')", name="run_step_state"),
        schema="sentiment",
        comment="One row a start of a step, with its fence token",
    )


def _review_tables() -> None:
    op.create_table(
        "review",
        _id("review_id", "hash of source and the dump's own id, or of what identifies it", primary_key=True),
        _id("source", "where the review comes from"),
        _id("item_id", "film or series, as the source names it", nullable=True),
        _id("item_type", "film or series", nullable=True),
        _id("item_title", "title of the film or series", nullable=True),
        _id("author", "name of the author, as published there", nullable=True),
        sa.Column("rating", sa.Numeric(2, 1), comment="stars given, 0.5 to 5.0"),
        sa.Column("review_date", sa.Date, comment="day the review was written"),
        _id("title", "headline of the review", nullable=True),
        _id("text", "the review as it came, untouched"),
        sa.Column("polarity", sa.SmallInteger, comment="label in the dump: 0 negative, 1 positive"),
        _id("text_hash", "SHA-256 of the NFC form of the text"),
        _id("content_hash", "hash over every column that a later dump may change"),
        sa.Column("first_night", sa.Date, nullable=False, comment="first night whose dump held it"),
        sa.Column("last_night", sa.Date, nullable=False, comment="last night whose dump held it"),
        _id("run_id", "the run that wrote this version"),
        sa.CheckConstraint("rating BETWEEN 0.5 AND 5.0", name="review_rating"),
        sa.CheckConstraint("polarity IN (0, 1)", name="review_polarity"),
        schema="sentiment",
        comment="Newest version of each review; holds author names, not for readers",
    )
    op.create_index("review_item", "review", ["item_id"], schema="sentiment")
    op.create_table(
        "night_review",
        sa.Column("night", sa.Date, primary_key=True, comment="the night"),
        _id("source", "where the review comes from", primary_key=True),
        sa.Column("file_no", sa.Integer, primary_key=True, autoincrement=False, comment="file of the dump, from 0"),
        sa.Column(
            "record_no",
            sa.BigInteger,
            primary_key=True,
            autoincrement=False,
            comment="record of the file, from 1",
        ),
        _id("review_id", "the review"),
        _id("content_hash", "what that night's dump said of it"),
        _id("novelty", "new, changed or known, against earlier nights"),
        _id("run_id", "the run that published it"),
        sa.CheckConstraint("novelty IN ('new', 'changed', 'known')", name="night_review_novelty"),
        schema="sentiment",
        comment="What each night's dump held, by month: past nights keep their population",
        postgresql_partition_by="RANGE (night)",
    )
    op.create_index("night_review_review", "night_review", ["review_id"], schema="sentiment")
    op.create_table(
        "review_sentiment",
        _id("review_id", "the review", primary_key=True),
        _id("model_id", "the model", primary_key=True),
        _id("label", "the most probable label"),
        sa.Column("score", sa.Double, nullable=False, comment="probability of that label, 0 to 1"),
        _number("p_positive", "probability of the positive label; null where the model has none"),
        sa.Column("probabilities", JSONB, nullable=False, comment="probability of every label"),
        sa.Column("n_wordpieces", sa.Integer, nullable=False, comment="wordpieces of the whole text"),
        sa.Column("n_chunks", sa.SmallInteger, nullable=False, comment="pieces the text was scored in"),
        _id("text_hash", "SHA-256 of the text that was scored"),
        _id("run_id", "the run that published it"),
        _when("scored_at", "when the network scored the text", default=True),
        sa.ForeignKeyConstraint(["model_id"], ["sentiment.model.model_id"]),
        sa.CheckConstraint("score BETWEEN 0 AND 1", name="review_sentiment_score"),
        schema="sentiment",
        comment="Sentiment of each review by each model",
    )
    op.create_table(
        "film_night",
        sa.Column("night", sa.Date, primary_key=True, comment="the night"),
        _id("source", "where the reviews come from", primary_key=True),
        _id("item_id", "film or series; empty where the dump names none", primary_key=True),
        _id("model_id", "the model", primary_key=True),
        _count("n", "reviews in that night's dump"),
        _count("n_positive", "of these, labelled positive"),
        _count("n_uncertain", "of these, with p_positive in the uncertain band"),
        _count("n_fresh", "reviews new or changed that night"),
        _count("n_fresh_positive", "of the fresh, labelled positive"),
        sa.Column(
            "sum_logit",
            sa.Double,
            nullable=False,
            server_default="0",
            comment="sum of ln(p/(1-p)) of fresh reviews",
        ),
        sa.Column(
            "sum_logit_sq",
            sa.Double,
            nullable=False,
            server_default="0",
            comment="sum of its squares over fresh reviews",
        ),
        _id("run_id", "the run that published it"),
        sa.ForeignKeyConstraint(["model_id"], ["sentiment.model.model_id"]),
        schema="sentiment",
        comment="Sums for each film and night, kept in the publishing transaction",
    )
    op.create_index("film_night_item", "film_night", ["item_id", "night"], schema="sentiment")
    op.create_table(
        "quarantine",
        _id("run_id", "the run that refused it", primary_key=True),
        sa.Column("file_no", sa.Integer, primary_key=True, autoincrement=False, comment="file of the dump, from 0"),
        sa.Column(
            "record_no",
            sa.BigInteger,
            primary_key=True,
            autoincrement=False,
            comment="record of the file, from 1",
        ),
        sa.Column("reasons", ARRAY(sa.Text), nullable=False, comment="every rule it failed"),
        _id("details", "the rules' messages, one a line"),
        sa.Column("raw", sa.LargeBinary, nullable=False, comment="the record as it came, first 64 KiB"),
        sa.Column("raw_bytes", sa.BigInteger, nullable=False, comment="size of the whole record in bytes"),
        _id("raw_sha256", "SHA-256 of the whole record"),
        sa.Column("byte_offset", sa.BigInteger, nullable=False, comment="where it starts in the decompressed file"),
        _id("requeued_in", "the run that took it later", nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["sentiment.run.run_id"]),
        schema="sentiment",
        comment="Records that failed a rule, as they came; may hold author names, not for readers",
    )
    op.create_table(
        "pseudonym_salt",
        sa.Column("salt", sa.Text, primary_key=True, comment="random text mixed into author pseudonyms"),
        schema="sentiment",
        comment="One row: makes author pseudonyms of this database unlike any other's",
    )
    op.execute("INSERT INTO sentiment.pseudonym_salt VALUES (gen_random_uuid()::text || gen_random_uuid()::text)")


def _drift_tables() -> None:
    op.create_table(
        "profile_metrics",
        sa.Column("night", sa.Date, primary_key=True, comment="the night"),
        _id("source", "where the reviews come from", primary_key=True),
        _id("model_id", "the model", primary_key=True),
        _id("slice_key", "what the slice is cut by; all for the whole night", primary_key=True),
        _id("slice_value", "which slice", primary_key=True),
        _id("column_name", "the watched column", primary_key=True),
        _id("data_type", "numeric or categorical"),
        _count("n", "fresh reviews in the slice"),
        _count("n_null", "of these, without a value"),
        _number("avg", "mean"),
        _number("stddev", "standard deviation"),
        _number("min", "smallest"),
        _number("max", "largest"),
        _number("avg_length", "mean length in characters, of text"),
        _id("edges_id", "the frozen bin edges that were counted on"),
        sa.Column(
            "bin_counts",
            ARRAY(sa.BigInteger),
            nullable=False,
            comment="null, underflow, the bins, overflow or unseen",
        ),
        _count("n_items", "films and series in the slice"),
        _number("sum_item_sq", "sum over items of s_f squared"),
        _number("sum_item_cross", "sum over items of s_f n_f"),
        _number("sum_item_n_sq", "sum over items of n_f squared"),
        _id("run_id", "the run that counted"),
        schema="drift",
        comment="Counts of each night, slice and column, over new and changed reviews",
    )
    op.create_table(
        "reference",
        _id("reference_id", "the reference", primary_key=True),
        _id("source", "where the reviews come from"),
        _id("model_id", "the model it holds for"),
        sa.Column("first_night", sa.Date, nullable=False, comment="first night of the range"),
        sa.Column("last_night", sa.Date, nullable=False, comment="last night of the range"),
        sa.Column("nights", ARRAY(sa.Date), nullable=False, comment="the nights it is made of"),
        _id("edges_id", "its frozen bin edges"),
        sa.Column("frozen", JSONB, nullable=False, comment="edges, weekday effects, dispersion, thresholds"),
        sa.Column(
            "is_current",
            sa.Boolean,
            nullable=False,
            server_default=sa.false(),
            comment="whether nights are compared with it",
        ),
        _when("pinned_at", "when it was pinned", default=True),
        schema="drift",
        comment="Ranges of published nights that later nights are compared with; never edited",
    )
    op.create_index(
        "reference_one_current",
        "reference",
        ["source", "model_id"],
        unique=True,
        schema="drift",
        postgresql_where=sa.text("is_current"),
    )
    op.create_table(
        "drift_metrics",
        sa.Column("night", sa.Date, primary_key=True, comment="the night"),
        _id("granularity", "day", primary_key=True),
        _id("source", "where the reviews come from", primary_key=True),
        _id("model_id", "the model", primary_key=True),
        _id("slice_key", "what the slice is cut by", primary_key=True),
        _id("slice_value", "which slice", primary_key=True),
        _id("column_name", "the watched column", primary_key=True),
        _id("drift_type", "BASELINE or CONSECUTIVE", primary_key=True),
        _id("reference_id", "the reference, or the night compared with; empty for none", primary_key=True),
        sa.Column(
            "revision",
            sa.Integer,
            primary_key=True,
            autoincrement=False,
            comment="the highest is current; older ones are kept",
        ),
        _number("count_delta", "reviews more than the reference"),
        _number("avg_delta", "mean less the reference's"),
        _number("percent_null_delta", "points of nulls more than the reference, 0 to 100"),
        _number("js_distance", "Jensen-Shannon distance in base 2, 0 to 1"),
        _number("ks_statistic", "largest distance of the cumulated bins, 0 to 1"),
        _number("population_stability_index", "PSI with half a count added to every bin"),
        _number("wasserstein_distance", "in the column's unit, on bin middles"),
        _number("chi_squared_statistic", "Pearson's, on the bins"),
        _count("n", "fresh reviews that night"),
        _count("n_reference", "reviews in the reference"),
        _number("effect", "difference in the column's own unit"),
        _number("effect_floor", "smallest effect that may alarm"),
        _number("z", "effect in standard errors, clustered by film"),
        _number("cusum_low", "downward cumulated sum"),
        _number("cusum_high", "upward cumulated sum"),
        _number("threshold", "z that alarms"),
        _id("status", "ok, watch, alarm or insufficient_data"),
        _id("run_id", "the run that compared"),
        sa.CheckConstraint("status IN ('ok', 'watch', 'alarm', 'insufficient_data')", name="drift_metrics_status"),
        schema="drift",
        comment="Each night against its reference and against the night before",
    )
    op.create_table(
        "canary",
        _id("model_id", "the model", primary_key=True),
        _id("fingerprint", "hash of the model's fingerprint and of the sentences", primary_key=True),
        sa.Column("sentence_no", sa.Integer, primary_key=True, autoincrement=False, comment="sentence, from 1"),
        _id("label", "label when the canary was opened"),
        sa.Column("score", sa.Double, nullable=False, comment="probability of that label then"),
        _id("run_id", "the run that opened it"),
        schema="drift",
        comment="What each model said of the bundled sentences when it was first used",
    )


WILSON = """
CREATE FUNCTION sentiment.wilson_{side}(k double precision, n double precision)
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN n > 0 THEN
  (k / n + 1.920729 / n {sign} 1.959964 * sqrt(k / n * (1 - k / n) / n + 0.9603645 / (n * n)))
  / (1 + 3.841459 / n) END
"""

FUNCTIONS = [
    WILSON.format(side="low", sign="-"),
    WILSON.format(side="high", sign="+"),
    "COMMENT ON FUNCTION sentiment.wilson_low IS 'Lower end of the 95 percent Wilson interval of k in n'",
    "COMMENT ON FUNCTION sentiment.wilson_high IS 'Upper end of the 95 percent Wilson interval of k in n'",
    """
CREATE FUNCTION sentiment.ensure_month(night date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE first date := date_trunc('month', night);
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('sentiment.ensure_month'));
  IF to_regclass(format('sentiment.night_review_%s', to_char(first, 'YYYYMM'))) IS NULL THEN
    EXECUTE format('CREATE TABLE sentiment.night_review_%s PARTITION OF sentiment.night_review '
                   'FOR VALUES FROM (%L) TO (%L)', to_char(first, 'YYYYMM'), first, first + interval '1 month');
    EXECUTE format('COMMENT ON TABLE sentiment.night_review_%s IS %L', to_char(first, 'YYYYMM'),
                   'night_review of the month ' || to_char(first, 'YYYY-MM'));
  END IF;
END $$
""",
    "COMMENT ON FUNCTION sentiment.ensure_month IS 'Creates the month''s partition of night_review if missing'",
]

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
  s.model_id, r.first_night, r.last_night, s.run_id
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
        },
        """
SELECT night, source, model_id, sum(n)::bigint AS n_reviews, sum(n_fresh)::bigint AS n_fresh,
  sum(n_positive)::bigint AS n_positive, (sum(n_positive) / nullif(sum(n), 0))::double precision AS share_positive,
  sentiment.wilson_low(sum(n_positive)::double precision, sum(n)::double precision) AS share_positive_low,
  sentiment.wilson_high(sum(n_positive)::double precision, sum(n)::double precision) AS share_positive_high,
  (sum(n_fresh_positive) / nullif(sum(n_fresh), 0))::double precision AS share_fresh_positive,
  sum(n_uncertain)::bigint AS n_uncertain, count(*) AS n_items
FROM sentiment.film_night JOIN sentiment.model m USING (model_id)
WHERE m.is_current
GROUP BY night, source, model_id""",
    ),
    "sentiment.v_film_sentiment": (
        "Each film or series over all nights by the current model, each review counted when new or changed",
        {
            "source": "where the reviews come from",
            "item_id": "film or series; empty where the dump names none",
            "model_id": "the current model",
            "n_reviews": "reviews new or changed, over all nights",
            "n_positive": "of these, labelled positive",
            "share_positive": "positive share, 0 to 1",
            "share_positive_low": "lower end of its 95 percent Wilson interval",
            "share_positive_high": "upper end of its 95 percent Wilson interval",
            "first_night": "first night with a review",
            "last_night": "last night with a review",
        },
        """
SELECT source, item_id, model_id, sum(n_fresh)::bigint AS n_reviews, sum(n_fresh_positive)::bigint AS n_positive,
  (sum(n_fresh_positive) / nullif(sum(n_fresh), 0))::double precision AS share_positive,
  sentiment.wilson_low(sum(n_fresh_positive)::double precision, sum(n_fresh)::double precision)
    AS share_positive_low,
  sentiment.wilson_high(sum(n_fresh_positive)::double precision, sum(n_fresh)::double precision)
    AS share_positive_high,
  min(night) AS first_night, max(night) AS last_night
FROM sentiment.film_night JOIN sentiment.model m USING (model_id)
WHERE m.is_current
GROUP BY source, item_id, model_id""",
    ),
    "sentiment.v_runs": (
        "Every run with its counts",
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
        },
        """
SELECT r.run_id, r.night, r.source, r.model_id, d.uri AS dump_uri, r.status, r.rows_read, r.rows_accepted,
  r.rows_quarantined, r.rows_duplicate, r.rows_scored, r.rows_reused, r.rows_published, r.verdict, r.reason,
  r.airflow_run_id, r.code_version, r.started_at, r.finished_at
FROM sentiment.run r JOIN sentiment.dump d USING (dump_id)""",
    ),
    "sentiment.v_quarantine_reasons": (
        "How many records of each run failed each rule",
        {
            "run_id": "the run",
            "night": "the night",
            "source": "where the records come from",
            "rule_name": "the rule",
            "n_records": "records that failed it",
        },
        """
SELECT q.run_id, r.night, r.source, reason.rule_name, count(*) AS n_records
FROM sentiment.quarantine q JOIN sentiment.run r USING (run_id)
CROSS JOIN LATERAL unnest(q.reasons) AS reason(rule_name)
GROUP BY q.run_id, r.night, r.source, reason.rule_name""",
    ),
    "drift.v_drift": (
        "The current state of every comparison: the highest revision",
        {
            "night": "the night",
            "source": "where the reviews come from",
            "model_id": "the model",
            "slice_key": "what the slice is cut by",
            "slice_value": "which slice",
            "column_name": "the watched column",
            "drift_type": "BASELINE or CONSECUTIVE",
            "reference_id": "the reference, or the night compared with",
            "n": "fresh reviews that night",
            "effect": "difference in the column''s own unit",
            "z": "effect in standard errors, clustered by film",
            "status": "ok, watch, alarm or insufficient_data",
        },
        """
SELECT DISTINCT ON (night, granularity, source, model_id, slice_key, slice_value, column_name, drift_type)
  night, source, model_id, slice_key, slice_value, column_name, drift_type, reference_id, n, effect, z, status
FROM drift.drift_metrics
ORDER BY night, granularity, source, model_id, slice_key, slice_value, column_name, drift_type, revision DESC""",
    ),
}

GRANTS = [
    "GRANT SELECT ON schema_revision TO sentiment_writer, sentiment_reader",
    "GRANT USAGE ON SCHEMA sentiment, drift TO sentiment_writer, sentiment_reader",
    "GRANT USAGE, CREATE ON SCHEMA staging TO sentiment_writer",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA sentiment, drift TO sentiment_writer",
    "GRANT USAGE ON ALL SEQUENCES IN SCHEMA sentiment TO sentiment_writer",
    "REVOKE ALL ON sentiment.pseudonym_salt FROM sentiment_writer",
    "REVOKE ALL ON FUNCTION sentiment.ensure_month FROM PUBLIC",
    "GRANT EXECUTE ON FUNCTION sentiment.ensure_month TO sentiment_writer",
    """GRANT SELECT ON sentiment.dump, sentiment.dump_file, sentiment.model, sentiment.run, sentiment.run_step,
  sentiment.film_night, sentiment.night_review, sentiment.review_sentiment, sentiment.v_review_sentiment,
  sentiment.v_daily_sentiment, sentiment.v_film_sentiment, sentiment.v_runs, sentiment.v_quarantine_reasons
  TO sentiment_reader""",
    "GRANT SELECT ON ALL TABLES IN SCHEMA drift TO sentiment_reader",
]
