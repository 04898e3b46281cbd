-- Return one refused record with the bytes that are kept, and the encoding in which its file was read.
SELECT q.run_id, r.night, r.source,
  (SELECT v.status FROM sentiment.v_runs v WHERE v.run_id = q.run_id) AS status,
  q.file_no, q.record_no, f.uri, f.format, f.compression, q.byte_offset, q.raw_bytes, q.raw_sha256, q.reasons,
  q.details, q.requeued_in, q.raw, (
    SELECT detail -> 'layouts' -> q.file_no ->> 'encoding' FROM sentiment.run_step s
    WHERE s.run_id = q.run_id AND state = 'done' AND detail ? 'layouts'
    ORDER BY token DESC
    LIMIT 1) AS encoding
FROM sentiment.quarantine q
JOIN sentiment.run r USING (run_id)
LEFT JOIN sentiment.dump_file f ON f.dump_id = r.dump_id AND f.file_no = q.file_no
WHERE q.run_id = :run_id AND q.file_no = :file_no AND q.record_no = :record_no
