-- List runs with their counts, and nights that failed before their run was opened, the newest first.
SELECT run_id, night, source, model_id, status, rows_read, rows_accepted, rows_quarantined, rows_duplicate,
       rows_scored, rows_reused, rows_published, started_at, NULL AS airflow_run_id, NULL AS dump_uri,
       NULL AS error, NULL AS try_next
FROM sentiment.v_runs
UNION ALL
SELECT NULL, night, source, NULL, 'failed', NULL, NULL, NULL, NULL, NULL, NULL, NULL, failed_at, airflow_run_id,
       dump_uri, concat_ws(': ', error_kind, error), try_next
FROM sentiment.v_unopened_runs
ORDER BY started_at DESC
LIMIT :limit
