-- List the fingerprints of networks that only models have which were retired longer ago than the given days.
-- A model that a living attempt scores by is none of them.
SELECT fingerprint
FROM sentiment.model
GROUP BY fingerprint
HAVING bool_and(coalesce(
  NOT is_current AND retired_at < now() - make_interval(days => :days)
  AND model_id NOT IN (
    SELECT model_id FROM sentiment.run WHERE run_id IN (
      SELECT run_id FROM sentiment.run_step
      WHERE state = 'running' AND heartbeat_at > now() - make_interval(mins => :live_minutes))), false))
ORDER BY fingerprint
