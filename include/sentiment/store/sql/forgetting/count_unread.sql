-- Count the values of a review's records that could not be read.
SELECT count(*) FROM sentiment.unread_value u
WHERE (u.run_id, u.file_no, u.record_no) IN (
  SELECT run_id, file_no, record_no FROM sentiment.night_review WHERE review_id = :id
  UNION ALL SELECT run_id, file_no, record_no FROM sentiment.duplicate WHERE review_id = :id)
