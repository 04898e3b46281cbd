-- Write the scores of changed and known reviews: for the newest night of a source.
INSERT INTO sentiment.review_sentiment AS t (
  review_id, model_id, label, score, p_positive, probabilities, n_wordpieces, n_chunks, text_hash, run_id, scored_at)
SELECT s.review_id, :model_id, s.label, s.score, s.p_positive, s.probabilities::jsonb, s.n_wordpieces, s.n_chunks,
  s.text_hash, :run_id, s.scored_at
FROM staged_review s
WHERE s.novelty <> 'new'
  -- A later score of the same text may be by newer rules (registry.EARLIER_RULES), and replaces the earlier one.
  AND NOT EXISTS (
    SELECT 1 FROM sentiment.review_sentiment t
    WHERE t.review_id = s.review_id AND t.model_id = :model_id AND t.text_hash = s.text_hash
      AND t.scored_at >= s.scored_at)
ON CONFLICT (review_id, model_id) DO UPDATE SET
  label = excluded.label, score = excluded.score, p_positive = excluded.p_positive,
  probabilities = excluded.probabilities, n_wordpieces = excluded.n_wordpieces, n_chunks = excluded.n_chunks,
  text_hash = excluded.text_hash, run_id = excluded.run_id, scored_at = excluded.scored_at
