-- Return each review that nights before this one listed, with the content that the last of them showed; and its text's
-- hash, where that night's values were read otherwise than now, so that other columns may only be read anew.
SELECT last.review_id, last.content_hash AS known_hash,
  CASE WHEN last.reading_version < :alike_since THEN coalesce(r.text_hash, v.text_hash) END AS known_text_hash
FROM (
  SELECT DISTINCT ON (n.review_id) n.review_id, n.content_hash, run.reading_version
  FROM sentiment.night_review n JOIN sentiment.run USING (run_id)
  WHERE n.source = :source AND n.night < :night
  ORDER BY n.review_id, n.night DESC
) AS last
LEFT JOIN sentiment.review r ON r.review_id = last.review_id AND r.content_hash = last.content_hash
LEFT JOIN sentiment.review_version v ON v.review_id = last.review_id AND v.content_hash = last.content_hash
