-- Count the reviews whose sentences the current model has scored and the other one has not.
SELECT count(DISTINCT s.review_id)
FROM sentiment.sentence_sentiment s
WHERE s.model_id = :current AND NOT EXISTS (
  SELECT 1 FROM sentiment.sentence_sentiment o WHERE o.review_id = s.review_id AND o.model_id = :other)
