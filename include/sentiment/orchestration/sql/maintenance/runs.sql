-- List every run, with whether it is over, however it ended, so long ago that nobody continues it.
SELECT run_id, dump_id,
  night < :oldest AND greatest(started_at, finished_at,
    (SELECT max(heartbeat_at) FROM sentiment.run_step s WHERE s.run_id = r.run_id)) < :oldest AS is_past
FROM sentiment.run r
