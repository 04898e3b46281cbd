-- Fail the runs of `airflow dags test` that are still running, and their tasks (Airflow's own database).
WITH ended AS (
  UPDATE dag_run SET state = 'failed', end_date = now()
  WHERE state = 'running' AND triggered_by = 'TEST'
  RETURNING dag_id, run_id
)
UPDATE task_instance t SET state = 'failed', end_date = now()
FROM ended
WHERE t.dag_id = ended.dag_id AND t.run_id = ended.run_id AND t.state IN ('running', 'queued', 'scheduled')
