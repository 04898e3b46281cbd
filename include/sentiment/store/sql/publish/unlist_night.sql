-- Delete what the replaced night listed, and note its reviews in unsettled.
WITH unlisted AS (
  DELETE FROM sentiment.night_review WHERE night = :night AND source = :source RETURNING review_id)
INSERT INTO unsettled SELECT DISTINCT review_id FROM unlisted
