"""What a model's answers mean: which label is the positive one, when it is unsure, and whose int8 twin it is."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COLUMNS = {
    "positive_label": ("text", "the label whose probability is p_positive; null where the model has none"),
    "uncertain_low": (
        "double precision NOT NULL DEFAULT 0.35",
        "p_positive from which a review is uncertain: there the calibrated one enters the band of the settings",
    ),
    "uncertain_high": (
        "double precision NOT NULL DEFAULT 0.65",
        "p_positive up to which a review is uncertain; without a positive label, the score up to which it is",
    ),
    "parent_model_id": ("text", "the model that this one is the int8 twin of; null for others"),
    "parent_agreement": ("double precision", "share of texts that both label alike, when it was made; null for others"),
    "parent_texts": ("integer", "on how many texts that was; null for others"),
    "parent_speedup": ("double precision", "times as fast as its parent, one thread, when it was made"),
}
POSITIVE = """UPDATE sentiment.model SET positive_label = (
  SELECT l FROM unnest(labels) l WHERE lower(l) IN ('pos', 'positive', 'positif') LIMIT 1)"""

DAILY = """
CREATE OR REPLACE VIEW sentiment.v_daily_sentiment AS
SELECT f.night, f.source, f.model_id, sum(n)::bigint AS n_reviews, sum(n_fresh)::bigint AS n_fresh,
  sum(n_positive)::bigint AS n_positive, (sum(n_positive) / nullif(sum({n}), 0))::double precision AS share_positive,
  sentiment.wilson_low(sum(n_positive)::double precision, sum({n})::double precision) AS share_positive_low,
  sentiment.wilson_high(sum(n_positive)::double precision, sum({n})::double precision) AS share_positive_high,
  (sum(n_fresh_positive) / nullif(sum({n_fresh}), 0))::double precision AS share_fresh_positive,
  sum(n_uncertain)::bigint AS n_uncertain, count(*) AS n_items,
  coalesce(f.night = (SELECT max(r.night) FROM sentiment.run r WHERE r.source = f.source AND r.model_id = f.model_id
    AND r.status = 'published'), false) AS is_last_good
FROM sentiment.film_night f JOIN sentiment.model m USING (model_id)
WHERE m.is_current
GROUP BY f.night, f.source, f.model_id"""
FILM = """
CREATE OR REPLACE VIEW sentiment.v_film_sentiment AS
SELECT source, item_id, model_id, sum(n_fresh)::bigint AS n_reviews, sum(n_fresh_positive)::bigint AS n_positive,
  (sum(n_fresh_positive) / nullif(sum({n_fresh}), 0))::double precision AS share_positive,
  sentiment.wilson_low(sum(n_fresh_positive)::double precision, sum({n_fresh})::double precision)
    AS share_positive_low,
  sentiment.wilson_high(sum(n_fresh_positive)::double precision, sum({n_fresh})::double precision)
    AS share_positive_high,
  min(night) AS first_night, max(night) AS last_night
FROM sentiment.film_night JOIN sentiment.model m USING (model_id)
WHERE m.is_current
GROUP BY source, item_id, model_id"""
JUDGED = {name: f"CASE WHEN m.positive_label IS NOT NULL THEN {name} END" for name in ("n", "n_fresh")}
"""Reviews that could be called positive: a share of others is null, not 0."""

REVIEW = """
CREATE OR REPLACE VIEW sentiment.v_review_sentiment AS
SELECT r.review_id, r.source, r.item_id, r.item_type, r.item_title,
  'a' || left(encode(sha256(convert_to(p.salt || r.author, 'UTF8')), 'hex'), 16) AS author_pseudonym,
  r.rating, r.review_date, r.title, r.text, r.polarity, s.label, s.score, s.p_positive, s.n_wordpieces,
  s.model_id, r.first_night,
  (SELECT max(n.night) FROM sentiment.night_review n WHERE n.review_id = r.review_id) AS last_night, s.run_id,
  CASE WHEN s.p_positive IS NULL THEN s.score <= m.uncertain_high
    ELSE s.p_positive BETWEEN m.uncertain_low AND m.uncertain_high END AS uncertain,
  s.probabilities
FROM sentiment.review r
JOIN sentiment.review_sentiment s USING (review_id)
JOIN sentiment.model m ON m.model_id = s.model_id AND m.is_current
CROSS JOIN sentiment.pseudonym_salt p"""
ADDED = {
    "uncertain": "whether the calibrated probability lies in the band of the settings",
    "probabilities": "probability of every label, as a JSON object",
}


def upgrade() -> None:
    for name, (kind, comment) in COLUMNS.items():
        op.execute(f"ALTER TABLE sentiment.model ADD COLUMN {name} {kind}")
        op.execute(f"COMMENT ON COLUMN sentiment.model.{name} IS '{comment}'")
    for statement in (POSITIVE, DAILY.format(**JUDGED), FILM.format(**JUDGED), REVIEW):
        op.execute(statement)
    for name, comment in ADDED.items():
        op.execute(f"COMMENT ON COLUMN sentiment.v_review_sentiment.{name} IS '{comment}'")


def downgrade() -> None:
    raise NotImplementedError("what models mean would be lost: restore a backup instead")
