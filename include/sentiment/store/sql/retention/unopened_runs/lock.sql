-- Lock nights that failed some days ago before their run was opened, in a range of blocks: none fails anew.
SELECT airflow_run_id FROM sentiment.unopened_run
WHERE ctid >= cast(:first_block AS tid) AND ctid < cast(:end_block AS tid)
  AND failed_at < now() - make_interval(days => :days)
ORDER BY dag_id, airflow_run_id
FOR UPDATE
