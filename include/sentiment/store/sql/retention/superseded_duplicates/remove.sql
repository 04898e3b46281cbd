-- Delete duplicates of runs that were superseded some days ago, in a range of blocks.
DELETE FROM sentiment.duplicate
WHERE ctid >= cast(:first_block AS tid) AND ctid < cast(:end_block AS tid)
  AND run_id = ANY(ARRAY(
    SELECT o.run_id FROM sentiment.run o
    WHERE o.status = 'superseded'
      AND o.run_id NOT IN (
        SELECT run_id FROM sentiment.run_step
        WHERE state = 'running' AND heartbeat_at > now() - make_interval(mins => :live_minutes))
      AND (
        SELECT max(n.published_at) FROM sentiment.run n
        WHERE n.night = o.night AND n.source = o.source AND n.status = 'published'
      ) < now() - make_interval(days => :days)))
  AND run_id = ANY(:locked)
