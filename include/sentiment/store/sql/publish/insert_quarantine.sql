-- Publish the refused records.
INSERT INTO sentiment.quarantine (run_id, file_no, record_no, reasons, details, raw, raw_bytes, raw_sha256, byte_offset)
SELECT :run_id, file_no, record_no, reasons, details, raw, raw_bytes, raw_sha256, byte_offset
FROM staged_quarantine
