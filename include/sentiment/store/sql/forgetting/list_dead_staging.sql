-- List the staging tables whose attempt does not work any more.
SELECT tablename
FROM pg_tables
WHERE schemaname = 'staging' AND NOT EXISTS (
  SELECT 1 FROM sentiment.run_step
  WHERE state = 'running' AND tablename ~ ('_' || token || '$')
    AND heartbeat_at > now() - make_interval(mins => :live_minutes))
