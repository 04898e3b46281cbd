-- Each review with its sentiment by the current model; authors are pseudonyms.
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
CROSS JOIN sentiment.pseudonym_salt p;

COMMENT ON VIEW sentiment.v_review_sentiment IS
  'Each review with its sentiment by the current model; authors are pseudonyms';
COMMENT ON COLUMN sentiment.v_review_sentiment.review_id IS 'the review';
COMMENT ON COLUMN sentiment.v_review_sentiment.source IS 'where it comes from';
COMMENT ON COLUMN sentiment.v_review_sentiment.item_id IS 'film or series, as the source names it';
COMMENT ON COLUMN sentiment.v_review_sentiment.item_type IS 'film or series';
COMMENT ON COLUMN sentiment.v_review_sentiment.item_title IS 'title of the film or series';
COMMENT ON COLUMN sentiment.v_review_sentiment.author_pseudonym IS 'the same author has the same pseudonym';
COMMENT ON COLUMN sentiment.v_review_sentiment.rating IS 'stars given, 0.5 to 5.0';
COMMENT ON COLUMN sentiment.v_review_sentiment.review_date IS 'day it was written';
COMMENT ON COLUMN sentiment.v_review_sentiment.title IS 'headline';
COMMENT ON COLUMN sentiment.v_review_sentiment.text IS 'the review as it came';
COMMENT ON COLUMN sentiment.v_review_sentiment.polarity IS 'label in the dump: 0 negative, 1 positive';
COMMENT ON COLUMN sentiment.v_review_sentiment.label IS 'the most probable label';
COMMENT ON COLUMN sentiment.v_review_sentiment.score IS 'probability of that label, 0 to 1';
COMMENT ON COLUMN sentiment.v_review_sentiment.p_positive IS 'probability of the positive label';
COMMENT ON COLUMN sentiment.v_review_sentiment.n_wordpieces IS 'wordpieces of the whole text';
COMMENT ON COLUMN sentiment.v_review_sentiment.model_id IS 'the current model';
COMMENT ON COLUMN sentiment.v_review_sentiment.first_night IS 'first night whose dump held it';
COMMENT ON COLUMN sentiment.v_review_sentiment.last_night IS 'last night whose dump held it';
COMMENT ON COLUMN sentiment.v_review_sentiment.run_id IS 'the run that published the sentiment';
COMMENT ON COLUMN sentiment.v_review_sentiment.uncertain IS
  'whether the calibrated probability lies in the band of the settings';
COMMENT ON COLUMN sentiment.v_review_sentiment.probabilities IS 'probability of every label, as a JSON object';

GRANT SELECT ON sentiment.v_review_sentiment TO sentiment_writer, sentiment_reader;
