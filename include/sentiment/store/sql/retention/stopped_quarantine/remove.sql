-- Delete refused records of runs that ended some days ago and were never published, in a range of blocks.
DELETE FROM sentiment.quarantine
WHERE ctid >= cast(:first_block AS tid) AND ctid < cast(:end_block AS tid)
  AND run_id = ANY(ARRAY(
    SELECT run_id FROM sentiment.run
    WHERE published_at IS NULL AND finished_at < now() - make_interval(days => :days)
      AND run_id NOT IN (
        SELECT run_id FROM sentiment.run_step
        WHERE state = 'running' AND heartbeat_at > now() - make_interval(mins => :live_minutes))))
  AND run_id = ANY(:locked)
