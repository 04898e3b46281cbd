-- Return a run of the dump of which an attempt is alive, if there is one.
SELECT run_id
FROM sentiment.run JOIN sentiment.run_step USING (run_id)
WHERE dump_id = :dump_id AND state = 'running'
  AND heartbeat_at > now() - make_interval(mins => :live_minutes)
LIMIT 1
