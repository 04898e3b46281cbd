-- Name the first run that lists each shown version where a replaced run is named.
UPDATE sentiment.review r SET run_id = (
  SELECT n.run_id FROM sentiment.night_review n
  WHERE n.review_id = r.review_id AND n.content_hash = r.content_hash
  ORDER BY n.night
  LIMIT 1)
FROM unsettled u
WHERE r.review_id = u.review_id AND r.run_id = ANY(:replaced)
