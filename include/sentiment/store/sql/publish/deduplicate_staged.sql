-- Copy the staged reviews without the rows that Spark wrote twice.
CREATE TEMP TABLE staged_once ON COMMIT DROP AS
SELECT DISTINCT ON (file_no, record_no) * FROM staged_review ORDER BY file_no, record_no
