-- Choose for each unsettled review the version of the newest night that lists it; null where no night does.
CREATE TEMP TABLE chosen_version ON COMMIT DROP AS
SELECT review_id, (
  SELECT n.content_hash FROM sentiment.night_review n
  WHERE n.review_id = u.review_id
  ORDER BY n.night DESC
  LIMIT 1) AS content_hash
FROM (SELECT DISTINCT review_id FROM unsettled) u
