-- Count the nights that the other model has not scored, or not as far as it could.
-- A night of which it has scored fewer reviews counts while a version of one of the rest is still kept.
SELECT count(*)
FROM (SELECT night, source, n FROM sentiment.source_night WHERE model_id = :current) AS c
LEFT JOIN (SELECT night, source, n FROM sentiment.source_night WHERE model_id = :other) AS o USING (night, source)
WHERE CASE
  WHEN o.n IS NULL THEN true
  WHEN o.n >= c.n THEN false
  ELSE o.n < (
    SELECT count(*)
    FROM sentiment.night_review n
    LEFT JOIN sentiment.review r ON r.review_id = n.review_id AND r.content_hash = n.content_hash
    LEFT JOIN sentiment.review_version v ON v.review_id = n.review_id AND v.content_hash = n.content_hash
    WHERE n.night = c.night AND n.source = c.source AND coalesce(r.review_id, v.review_id) IS NOT NULL)
  END
