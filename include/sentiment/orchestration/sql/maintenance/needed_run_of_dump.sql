-- Return a run of the dump that is not over, or not so long ago that nobody continues it, if there is one.
SELECT 1
FROM sentiment.run r
WHERE dump_id = :dump_id AND NOT (night < :oldest AND greatest(started_at, finished_at,
  (SELECT max(heartbeat_at) FROM sentiment.run_step s WHERE s.run_id = r.run_id)) < :oldest)
LIMIT 1
