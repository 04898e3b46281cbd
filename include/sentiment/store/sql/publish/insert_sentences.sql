-- Insert the sentences of the reviews whose staged version is shown: their offsets are offsets in that text.
INSERT INTO sentiment.sentence_sentiment (review_id, model_id, sentence_no, begin_char, end_char, label, score)
SELECT s.review_id, :model_id, e.sentence_no, e.begin_char, e.end_char, e.label, e.score
FROM staged_review s JOIN sentiment.review r USING (review_id, content_hash)
CROSS JOIN LATERAL jsonb_to_recordset(s.sentences::jsonb)
  AS e(sentence_no smallint, begin_char int, end_char int, label text, score double precision)
WHERE s.sentences IS NOT NULL
  AND NOT EXISTS (
    SELECT 1 FROM sentiment.review_sentiment t
    WHERE t.review_id = s.review_id AND t.model_id = :model_id AND t.text_hash = s.text_hash
      AND t.scored_at > s.scored_at)
  -- Where all sentences are there already, none is compared.
  AND jsonb_array_length(s.sentences::jsonb) > (
    SELECT count(*) FROM sentiment.sentence_sentiment t
    WHERE t.review_id = s.review_id AND t.model_id = :model_id)
ON CONFLICT (review_id, model_id, sentence_no) DO NOTHING
