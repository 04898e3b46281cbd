-- Insert the sentences that were kept with the chosen versions, where a review has none by that model.
INSERT INTO sentiment.sentence_sentiment (review_id, model_id, sentence_no, begin_char, end_char, label, score)
SELECT w.review_id, s.stored->>'model_id', e.sentence_no, e.begin_char, e.end_char, e.label, e.score
FROM chosen_version w JOIN sentiment.review_version v USING (review_id, content_hash)
CROSS JOIN LATERAL jsonb_array_elements(v.sentiments) AS s(stored)
CROSS JOIN LATERAL jsonb_to_recordset(nullif(s.stored->'sentences', 'null'))
  AS e(sentence_no smallint, begin_char int, end_char int, label text, score double precision)
WHERE NOT EXISTS (
  SELECT 1 FROM sentiment.sentence_sentiment t
  WHERE t.review_id = w.review_id AND t.model_id = s.stored->>'model_id')
ON CONFLICT (review_id, model_id, sentence_no) DO NOTHING
