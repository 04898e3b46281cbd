-- Count the reviews shown that the current model has scored and the other one has not.
SELECT count(*)
FROM sentiment.review r JOIN sentiment.review_sentiment s USING (review_id, text_hash)
WHERE s.model_id = :current AND NOT EXISTS (
  SELECT 1 FROM sentiment.review_sentiment o
  WHERE o.review_id = r.review_id AND o.text_hash = r.text_hash AND o.model_id = :other)
