-- Delete reviews that no night lists any more, with scores, sentences and versions.
WITH unlisted AS (
  DELETE FROM sentiment.review r USING chosen_version w
  WHERE r.review_id = w.review_id AND w.content_hash IS NULL AND r.first_night >= :night
  RETURNING r.review_id),
scores AS (
  DELETE FROM sentiment.review_sentiment s USING unlisted WHERE s.review_id = unlisted.review_id),
sentences AS (
  DELETE FROM sentiment.sentence_sentiment s USING unlisted WHERE s.review_id = unlisted.review_id)
DELETE FROM sentiment.review_version v USING unlisted WHERE v.review_id = unlisted.review_id
