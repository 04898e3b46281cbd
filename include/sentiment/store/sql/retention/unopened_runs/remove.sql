-- Delete nights that failed some days ago before their run was opened, in a range of blocks.
DELETE FROM sentiment.unopened_run
WHERE ctid >= cast(:first_block AS tid) AND ctid < cast(:end_block AS tid)
  AND failed_at < now() - make_interval(days => :days)
  AND airflow_run_id = ANY(:locked)
