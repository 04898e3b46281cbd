-- Count staged reviews that are not new and have their score: for the newest night; new ones were counted as inserted.
SELECT count(*)
FROM staged_review s
WHERE s.novelty <> 'new' AND (
  NOT EXISTS (SELECT 1 FROM sentiment.review r WHERE r.review_id = s.review_id AND r.text_hash = s.text_hash)
  OR EXISTS (SELECT 1 FROM sentiment.review_sentiment t WHERE t.review_id = s.review_id AND t.model_id = :model_id))
