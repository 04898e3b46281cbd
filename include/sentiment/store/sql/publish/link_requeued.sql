-- Name this run in each refused record of the replaced one that it does not refuse again, be it a duplicate now.
-- Records have the positions of then where both runs read the same part `received`. Where the dump was cut anew, a record
-- is refused again if one with its bytes is, or one that begins at its byte; Parquet and workbooks have no bytes.
WITH cut AS (
  SELECT run_id, (
    SELECT detail ->> 'received' FROM sentiment.run_step s
    WHERE s.run_id = r.run_id AND step IN ('find_dump', 'ingest') AND state = 'done' AND detail ? 'layouts'
    ORDER BY token DESC
    LIMIT 1) AS received
  FROM sentiment.run r
  WHERE run_id = :run_id OR run_id = ANY(:replaced)
), compared AS (
  SELECT old.run_id, old.received IS NOT DISTINCT FROM new.received AS is_alike
  FROM cut old JOIN cut new ON new.run_id = :run_id
  WHERE old.run_id = ANY(:replaced)
)
UPDATE sentiment.quarantine q SET requeued_in = :run_id
FROM compared
WHERE q.run_id = compared.run_id
  AND NOT (is_alike AND EXISTS (
    SELECT 1 FROM sentiment.quarantine again
    WHERE again.run_id = :run_id AND again.file_no = q.file_no AND again.record_no = q.record_no))
  AND NOT (NOT is_alike AND EXISTS (
    SELECT 1 FROM sentiment.quarantine again
    WHERE again.run_id = :run_id AND again.file_no = q.file_no AND again.raw_sha256 = q.raw_sha256))
  AND NOT (NOT is_alike AND q.byte_offset > 0 AND EXISTS (
    SELECT 1 FROM sentiment.quarantine again
    WHERE again.run_id = :run_id AND again.file_no = q.file_no AND again.byte_offset = q.byte_offset))
