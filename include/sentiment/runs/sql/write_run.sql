-- Insert a run that begins, or let one that is there begin again.
INSERT INTO sentiment.run (run_id, night, source, dump_id, model_id, airflow_run_id, status, code_version, supersedes,
  reason, reading_version)
VALUES (:run_id, :night, :source, :dump_id, :model_id, :airflow_run_id, 'running', :code_version, :supersedes, :reason,
  :reading_version)
ON CONFLICT (run_id) DO UPDATE SET status = 'running', airflow_run_id = excluded.airflow_run_id,
  code_version = excluded.code_version, reading_version = excluded.reading_version, supersedes = excluded.supersedes, reason = excluded.reason, verdict = NULL,
  finished_at = NULL
