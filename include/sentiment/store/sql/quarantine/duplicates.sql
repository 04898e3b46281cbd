-- List a run's duplicates, each with the record that it equals.
SELECT file_no, record_no, review_id, of_file_no, of_record_no
FROM sentiment.duplicate
WHERE run_id = :run_id
ORDER BY file_no, record_no
LIMIT :limit
