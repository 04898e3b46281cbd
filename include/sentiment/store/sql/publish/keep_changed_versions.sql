-- Keep the staged versions of reviews that are changed or read anew, and note their reviews in unsettled: for the newest night of a source.
-- What differs from the version shown is put aside first; settling then decides by night which one is shown.
WITH kept AS (
  INSERT INTO sentiment.review_version AS v (
    review_id, source, item_id, item_type, item_title, author, rating, review_date, title, text, polarity,
    text_hash, content_hash, run_id, sentiments)
  SELECT s.review_id, :source, s.item_id, s.item_type, s.item_title, s.author, s.rating, s.review_date, s.title, s.text,
    s.polarity, s.text_hash, s.content_hash, :run_id,
    jsonb_build_array(jsonb_build_object(
      'review_id', s.review_id, 'model_id', cast(:model_id AS text), 'label', s.label, 'score', s.score,
      'p_positive', s.p_positive, 'probabilities', s.probabilities::jsonb, 'n_wordpieces', s.n_wordpieces,
      'n_chunks', s.n_chunks, 'text_hash', s.text_hash, 'scored_at', s.scored_at, 'sentences', s.sentences::jsonb))
  FROM staged_review s JOIN sentiment.review r USING (review_id)
  WHERE s.novelty IN ('changed', 'read_anew') AND s.content_hash <> r.content_hash
  ON CONFLICT (review_id, content_hash) DO UPDATE SET run_id = excluded.run_id,
    -- Scores by other models stay, and a later one by this model.
    sentiments = coalesce((
      SELECT jsonb_agg(stored) FROM jsonb_array_elements(v.sentiments) AS stored
      WHERE stored->>'model_id' <> :model_id
        OR (stored->>'scored_at')::timestamptz >= (excluded.sentiments->0->>'scored_at')::timestamptz
    ), '[]') || excluded.sentiments
  RETURNING review_id)
INSERT INTO unsettled SELECT review_id FROM kept
