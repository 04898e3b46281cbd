-- Count values that can't be read of runs that ended some days ago and were never published, and their bytes.
-- ANY(ARRAY(...)) rather than IN: asked once, whatever the planner thinks of joining.
SELECT count(*) AS n, coalesce(sum(octet_length(value)), 0) AS n_bytes
FROM sentiment.unread_value
WHERE run_id = ANY(ARRAY(
  SELECT run_id FROM sentiment.run
  WHERE published_at IS NULL AND finished_at < now() - make_interval(days => :days)
    AND run_id NOT IN (
      SELECT run_id FROM sentiment.run_step
      WHERE state = 'running' AND heartbeat_at > now() - make_interval(mins => :live_minutes))))
