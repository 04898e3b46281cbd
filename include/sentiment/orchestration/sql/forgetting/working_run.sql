-- Return a run of which an attempt is alive, or that is between two steps, if there is one.
SELECT run_id
FROM sentiment.run_step s JOIN sentiment.run r USING (run_id)
WHERE heartbeat_at > now() - make_interval(mins => :live_minutes)
  AND (s.state = 'running' OR r.status IN ('running', 'audited'))
LIMIT 1
