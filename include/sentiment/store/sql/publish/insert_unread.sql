-- Publish the values that could not be read.
INSERT INTO sentiment.unread_value (run_id, file_no, record_no, column_name, value, rule_name)
SELECT :run_id, file_no, record_no, column_name, value, rule_name
FROM staged_unread
