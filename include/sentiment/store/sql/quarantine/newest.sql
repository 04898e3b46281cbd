-- List refused records without their bytes, those of the newest run first.
SELECT q.run_id, r.night, r.source,
  (SELECT v.status FROM sentiment.v_runs v WHERE v.run_id = q.run_id) AS status, q.file_no, q.record_no, f.uri, f.format, f.compression, q.byte_offset,
  q.raw_bytes, q.raw_sha256, q.reasons, q.details, q.requeued_in
FROM sentiment.run r
-- No run gives more than what is asked for, so that a short list is quick however much was ever refused.
CROSS JOIN LATERAL (
  SELECT * FROM sentiment.quarantine
  WHERE run_id = r.run_id AND (cast(:rule AS text) IS NULL OR :rule = ANY(reasons))
  ORDER BY file_no, record_no
  LIMIT :limit) AS q
LEFT JOIN sentiment.dump_file f ON f.dump_id = r.dump_id AND f.file_no = q.file_no
WHERE (cast(:run_id AS text) IS NULL AND r.status = 'published' OR r.run_id = :run_id)
  AND r.night = coalesce(:night, r.night) AND r.source = coalesce(:source, r.source)
ORDER BY r.started_at DESC, q.run_id, q.file_no, q.record_no
LIMIT :limit
