-- Publish the refused records, each once however often Spark wrote it.
INSERT INTO sentiment.quarantine (run_id, file_no, record_no, reasons, details, raw, raw_bytes, raw_sha256, byte_offset)
SELECT DISTINCT ON (file_no, record_no)
  :run_id, file_no, record_no, reasons, details, raw, raw_bytes, raw_sha256, byte_offset
FROM staged_quarantine
ORDER BY file_no, record_no
ON CONFLICT (run_id, file_no, record_no) DO NOTHING
