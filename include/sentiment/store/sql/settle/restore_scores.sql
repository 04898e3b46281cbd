-- Insert the scores that were kept with the chosen versions.
INSERT INTO sentiment.review_sentiment (
  review_id, model_id, label, score, p_positive, probabilities, n_wordpieces, n_chunks, text_hash, run_id, scored_at)
SELECT s.review_id, s.model_id, s.label, s.score, s.p_positive, s.probabilities, s.n_wordpieces, s.n_chunks,
  s.text_hash, v.run_id, s.scored_at
FROM chosen_version w JOIN sentiment.review_version v USING (review_id, content_hash)
CROSS JOIN LATERAL jsonb_populate_recordset(NULL::sentiment.review_sentiment, v.sentiments) AS s
ON CONFLICT (review_id, model_id) DO NOTHING
