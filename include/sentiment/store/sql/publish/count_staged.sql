-- Count staged reviews as written and each once, with the checksum of their keys (contract.key_checksum in Spark).
SELECT sum(times)::bigint AS written, count(*) AS rows,
  coalesce(sum(('x' || left(review_id, 15))::bit(60)::bigint), 0)::numeric::text AS checksum
FROM (
  SELECT file_no, record_no, review_id, count(*) AS times FROM staged_review GROUP BY file_no, record_no, review_id
) AS distinct_records
