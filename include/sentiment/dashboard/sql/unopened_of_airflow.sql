-- The night of an Airflow run that failed before a run was opened.
SELECT u.source, u.night, u.failed_at, u.error, u.try_next, u.dump_uri, u.airflow_run_id
FROM sentiment.v_unopened_runs u WHERE u.airflow_run_id = ANY(:airflow_run_ids) ORDER BY u.failed_at DESC LIMIT 1
