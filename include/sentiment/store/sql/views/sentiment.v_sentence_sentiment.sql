-- Each scored sentence with its text, by the current model.
CREATE OR REPLACE VIEW sentiment.v_sentence_sentiment AS
SELECT s.review_id, s.sentence_no, r.source, r.item_id, r.item_title,
  substr(r.text, s.begin_char + 1, s.end_char - s.begin_char) AS sentence, s.label, s.score, s.begin_char, s.end_char,
  s.model_id
FROM sentiment.sentence_sentiment s
JOIN sentiment.review r USING (review_id)
JOIN sentiment.model m ON m.model_id = s.model_id AND m.is_current;

COMMENT ON VIEW sentiment.v_sentence_sentiment IS
  'Each scored sentence with its text, by the current model';
COMMENT ON COLUMN sentiment.v_sentence_sentiment.review_id IS 'the review';
COMMENT ON COLUMN sentiment.v_sentence_sentiment.sentence_no IS 'its place in the review, from 1';
COMMENT ON COLUMN sentiment.v_sentence_sentiment.source IS 'where the review comes from';
COMMENT ON COLUMN sentiment.v_sentence_sentiment.item_id IS 'film or series, as the source names it';
COMMENT ON COLUMN sentiment.v_sentence_sentiment.item_title IS 'title of the film or series';
COMMENT ON COLUMN sentiment.v_sentence_sentiment.sentence IS 'the sentence as it came';
COMMENT ON COLUMN sentiment.v_sentence_sentiment.label IS 'the most probable label';
COMMENT ON COLUMN sentiment.v_sentence_sentiment.score IS 'probability of that label, 0 to 1';
COMMENT ON COLUMN sentiment.v_sentence_sentiment.begin_char IS 'characters of the raw text before it';
COMMENT ON COLUMN sentiment.v_sentence_sentiment.end_char IS 'characters of the raw text up to its end';
COMMENT ON COLUMN sentiment.v_sentence_sentiment.model_id IS 'the current model';

GRANT SELECT ON sentiment.v_sentence_sentiment TO sentiment_writer, sentiment_reader;
