-- Count staged reviews that have their score, or that a newer night has overtaken: for a night that is not the newest.
SELECT count(*)
FROM staged_review s
WHERE NOT EXISTS (SELECT 1 FROM sentiment.review r WHERE r.review_id = s.review_id AND r.text_hash = s.text_hash)
  OR EXISTS (SELECT 1 FROM sentiment.review_sentiment t WHERE t.review_id = s.review_id AND t.model_id = :model_id)
