-- Each published night by the current model, with 95 percent Wilson intervals.
CREATE OR REPLACE VIEW sentiment.v_daily_sentiment AS
SELECT f.night, f.source, f.model_id, sum(n)::bigint AS n_reviews, sum(n_fresh)::bigint AS n_fresh,
  sum(n_positive)::bigint AS n_positive,
  -- Of a model without a positive label no review can be called positive: a share is null then, not 0.
  (sum(n_positive) / nullif(sum(CASE WHEN m.positive_label IS NOT NULL THEN n END), 0))::double precision
    AS share_positive,
  sentiment.wilson_low(
    sum(n_positive)::double precision, sum(CASE WHEN m.positive_label IS NOT NULL THEN n END)::double precision)
    AS share_positive_low,
  sentiment.wilson_high(
    sum(n_positive)::double precision, sum(CASE WHEN m.positive_label IS NOT NULL THEN n END)::double precision)
    AS share_positive_high,
  (sum(n_fresh_positive) / nullif(sum(CASE WHEN m.positive_label IS NOT NULL THEN n_fresh END), 0))::double precision
    AS share_fresh_positive,
  sum(n_uncertain)::bigint AS n_uncertain, count(*) AS n_items,
  coalesce(f.night = (
    SELECT max(r.night) FROM sentiment.run r
    WHERE r.source = f.source AND r.model_id = f.model_id AND r.status = 'published'), false) AS is_last_good
FROM sentiment.film_night f JOIN sentiment.model m USING (model_id)
WHERE m.is_current
GROUP BY f.night, f.source, f.model_id;

COMMENT ON VIEW sentiment.v_daily_sentiment IS
  'Each published night by the current model, with 95 percent Wilson intervals';
COMMENT ON COLUMN sentiment.v_daily_sentiment.night IS 'the night';
COMMENT ON COLUMN sentiment.v_daily_sentiment.source IS 'where the reviews come from';
COMMENT ON COLUMN sentiment.v_daily_sentiment.model_id IS 'the current model';
COMMENT ON COLUMN sentiment.v_daily_sentiment.n_reviews IS 'reviews in the dump';
COMMENT ON COLUMN sentiment.v_daily_sentiment.n_fresh IS 'reviews new or changed that night';
COMMENT ON COLUMN sentiment.v_daily_sentiment.n_positive IS 'reviews labelled positive';
COMMENT ON COLUMN sentiment.v_daily_sentiment.share_positive IS 'positive share, 0 to 1';
COMMENT ON COLUMN sentiment.v_daily_sentiment.share_positive_low IS 'lower end of its interval';
COMMENT ON COLUMN sentiment.v_daily_sentiment.share_positive_high IS 'upper end of its interval';
COMMENT ON COLUMN sentiment.v_daily_sentiment.share_fresh_positive IS 'positive share of the fresh reviews';
COMMENT ON COLUMN sentiment.v_daily_sentiment.n_uncertain IS 'reviews in the uncertain band';
COMMENT ON COLUMN sentiment.v_daily_sentiment.n_items IS 'films and series';
COMMENT ON COLUMN sentiment.v_daily_sentiment.is_last_good IS 'whether it is the newest published night of its source';

GRANT SELECT ON sentiment.v_daily_sentiment TO sentiment_writer, sentiment_reader;
