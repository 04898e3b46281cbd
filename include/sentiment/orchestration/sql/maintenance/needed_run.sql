-- Return a row where the run is not over, or not so long ago that nobody continues it.
SELECT 1
FROM sentiment.run r
WHERE run_id = :run_id AND NOT (night < :oldest AND greatest(started_at, finished_at,
  (SELECT max(heartbeat_at) FROM sentiment.run_step s WHERE s.run_id = r.run_id)) < :oldest)
