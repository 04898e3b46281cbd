-- Count scores of models that were retired some days ago, and their bytes.
-- ANY(ARRAY(...)) rather than IN: asked once, whatever the planner thinks of joining.
SELECT count(*) AS n, coalesce(sum(0), 0) AS n_bytes
FROM sentiment.review_sentiment
WHERE model_id = ANY(ARRAY(
  SELECT model_id FROM sentiment.model
  WHERE NOT is_current AND retired_at < now() - make_interval(days => :days)
    AND model_id NOT IN (
      SELECT model_id FROM sentiment.run
      WHERE run_id IN (
        SELECT run_id FROM sentiment.run_step
        WHERE state = 'running' AND heartbeat_at > now() - make_interval(mins => :live_minutes)))))
