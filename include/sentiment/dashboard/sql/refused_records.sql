-- The first refused records of a run, by a rule if one is asked for.
SELECT file_no, record_no, reasons, details, raw_bytes, requeued_in
FROM sentiment.v_quarantine
WHERE run_id = :run_id AND (CAST(:rule AS text) IS NULL OR CAST(:rule AS text) = ANY(reasons))
ORDER BY file_no, record_no LIMIT :most
