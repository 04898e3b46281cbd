-- Each film or series over all nights by the current model, each review counted when new or changed.
CREATE OR REPLACE VIEW sentiment.v_film_sentiment AS
SELECT source, item_id, model_id, sum(n_fresh)::bigint AS n_reviews, sum(n_fresh_positive)::bigint AS n_positive,
  -- Of a model without a positive label no review can be called positive: a share is null then, not 0.
  (sum(n_fresh_positive) / nullif(sum(CASE WHEN m.positive_label IS NOT NULL THEN n_fresh END), 0))::double precision
    AS share_positive,
  sentiment.wilson_low(
    sum(n_fresh_positive)::double precision,
    sum(CASE WHEN m.positive_label IS NOT NULL THEN n_fresh END)::double precision) AS share_positive_low,
  sentiment.wilson_high(
    sum(n_fresh_positive)::double precision,
    sum(CASE WHEN m.positive_label IS NOT NULL THEN n_fresh END)::double precision) AS share_positive_high,
  min(night) AS first_night, max(night) AS last_night
FROM sentiment.film_night JOIN sentiment.model m USING (model_id)
WHERE m.is_current
GROUP BY source, item_id, model_id;

COMMENT ON VIEW sentiment.v_film_sentiment IS
  'Each film or series over all nights by the current model, each review counted when new or changed';
COMMENT ON COLUMN sentiment.v_film_sentiment.source IS 'where the reviews come from';
COMMENT ON COLUMN sentiment.v_film_sentiment.item_id IS 'film or series; empty where the dump names none';
COMMENT ON COLUMN sentiment.v_film_sentiment.model_id IS 'the current model';
COMMENT ON COLUMN sentiment.v_film_sentiment.n_reviews IS 'reviews new or changed, over all nights';
COMMENT ON COLUMN sentiment.v_film_sentiment.n_positive IS 'of these, labelled positive';
COMMENT ON COLUMN sentiment.v_film_sentiment.share_positive IS 'positive share, 0 to 1';
COMMENT ON COLUMN sentiment.v_film_sentiment.share_positive_low IS 'lower end of its 95 percent Wilson interval';
COMMENT ON COLUMN sentiment.v_film_sentiment.share_positive_high IS 'upper end of its 95 percent Wilson interval';
COMMENT ON COLUMN sentiment.v_film_sentiment.first_night IS 'first night with a review';
COMMENT ON COLUMN sentiment.v_film_sentiment.last_night IS 'last night with a review';

GRANT SELECT ON sentiment.v_film_sentiment TO sentiment_writer, sentiment_reader;
