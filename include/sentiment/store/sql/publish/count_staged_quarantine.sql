-- Count staged refused records, each once however often Spark wrote it.
SELECT count(*) FROM (SELECT DISTINCT file_no, record_no FROM staged_quarantine) AS distinct_records
