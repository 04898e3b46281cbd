-- Delete kept versions that are shown now, or that no night lists any more.
DELETE FROM sentiment.review_version v USING unsettled u, sentiment.review r
WHERE v.review_id = u.review_id AND r.review_id = u.review_id AND (
  v.content_hash = r.content_hash
  OR NOT EXISTS (
    SELECT 1 FROM sentiment.night_review n WHERE n.review_id = v.review_id AND n.content_hash = v.content_hash))
