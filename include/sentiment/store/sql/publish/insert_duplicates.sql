-- Publish which records are duplicates, and of which.
INSERT INTO sentiment.duplicate (run_id, file_no, record_no, review_id, of_file_no, of_record_no)
SELECT :run_id, file_no, record_no, review_id, of_file_no, of_record_no
FROM staged_duplicate
