-- Lock what decides about values that can't be read and still stand there, of runs that finished some days ago, in a
-- range of blocks: no step of a locked run starts.
SELECT run_id FROM sentiment.run
WHERE run_id = ANY(ARRAY(
  SELECT run_id FROM sentiment.unread_value
  WHERE ctid >= cast(:first_block AS tid) AND ctid < cast(:end_block AS tid)
    AND value <> '' AND run_id = ANY(ARRAY(
      SELECT run_id FROM sentiment.run
      WHERE finished_at < now() - make_interval(days => :days)
        AND run_id NOT IN (
          SELECT run_id FROM sentiment.run_step
          WHERE state = 'running' AND heartbeat_at > now() - make_interval(mins => :live_minutes))))))
ORDER BY run_id
FOR UPDATE
