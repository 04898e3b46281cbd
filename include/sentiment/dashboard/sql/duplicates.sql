-- The first records of a run that repeat a review which an earlier record of its dump holds.
SELECT file_no, record_no, of_file_no, of_record_no FROM sentiment.duplicate
WHERE run_id = :run_id ORDER BY file_no, record_no LIMIT :most
