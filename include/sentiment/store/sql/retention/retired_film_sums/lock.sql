-- Lock what decides about film sums of models that were retired some days ago, in a range of blocks: no locked
-- model is taken back into use.
SELECT model_id FROM sentiment.model
WHERE model_id = ANY(ARRAY(
  SELECT model_id FROM sentiment.film_night
  WHERE ctid >= cast(:first_block AS tid) AND ctid < cast(:end_block AS tid)
    AND model_id = ANY(ARRAY(
      SELECT model_id FROM sentiment.model
      WHERE NOT is_current AND retired_at < now() - make_interval(days => :days)
        AND model_id NOT IN (
          SELECT model_id FROM sentiment.run
          WHERE run_id IN (
            SELECT run_id FROM sentiment.run_step
            WHERE state = 'running' AND heartbeat_at > now() - make_interval(mins => :live_minutes)))))))
ORDER BY model_id
FOR SHARE
