-- Insert the scores of new reviews: for the newest night of a source, where they are in no table yet.
INSERT INTO sentiment.review_sentiment AS t (
  review_id, model_id, label, score, p_positive, probabilities, n_wordpieces, n_chunks, text_hash, run_id, scored_at)
SELECT s.review_id, :model_id, s.label, s.score, s.p_positive, s.probabilities::jsonb, s.n_wordpieces, s.n_chunks,
  s.text_hash, :run_id, s.scored_at
FROM staged_review s
WHERE s.novelty = 'new'
