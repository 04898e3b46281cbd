-- The run that an Airflow run worked on, the newest where it worked on several.
SELECT v.run_id, v.source, v.night
FROM sentiment.v_runs v WHERE v.airflow_run_id = ANY(:airflow_run_ids) ORDER BY v.started_at DESC LIMIT 1
