-- Each published night by the current model, with 95 percent Wilson intervals.
CREATE OR REPLACE VIEW sentiment.v_daily_sentiment AS
SELECT s.night, s.source, s.model_id, s.n AS n_reviews, s.n_fresh, s.n_positive,
  -- Of a model without a positive label no review can be called positive: a share is null then, not 0.
  (s.n_positive / nullif(c.n, 0))::double precision AS share_positive,
  sentiment.wilson_low(s.n_positive, c.n) AS share_positive_low,
  sentiment.wilson_high(s.n_positive, c.n) AS share_positive_high,
  (s.n_fresh_positive / nullif(c.n_fresh, 0))::double precision AS share_fresh_positive, s.n_uncertain, s.n_items,
  coalesce(s.night = (
    SELECT max(r.night) FROM sentiment.run r
    WHERE r.source = s.source AND r.model_id = s.model_id AND r.status = 'published'), false) AS is_last_good
FROM sentiment.source_night s
JOIN sentiment.model m USING (model_id)
CROSS JOIN LATERAL (
  SELECT CASE WHEN m.positive_label IS NOT NULL THEN s.n::double precision END AS n,
    CASE WHEN m.positive_label IS NOT NULL THEN s.n_fresh::double precision END AS n_fresh) AS c
WHERE m.is_current;

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
