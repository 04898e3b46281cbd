-- Write what a step counted; null leaves a count as it is.
UPDATE sentiment.run SET
  rows_read = coalesce(:read, rows_read),
  rows_accepted = coalesce(:accepted, rows_accepted),
  rows_quarantined = coalesce(:quarantined, rows_quarantined),
  rows_duplicate = coalesce(:duplicate, rows_duplicate),
  rows_scored = coalesce(:scored, rows_scored),
  rows_reused = coalesce(:reused, rows_reused),
  rows_published = coalesce(:published, rows_published)
WHERE run_id = :run_id
