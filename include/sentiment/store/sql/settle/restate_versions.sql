-- Name the first run that lists each kept version where a replaced run is named.
UPDATE sentiment.review_version v SET run_id = (
  SELECT n.run_id FROM sentiment.night_review n
  WHERE n.review_id = v.review_id AND n.content_hash = v.content_hash
  ORDER BY n.night
  LIMIT 1)
FROM unsettled u
WHERE v.review_id = u.review_id AND v.run_id = ANY(:replaced)
