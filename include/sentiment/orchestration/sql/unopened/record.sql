-- Record why a run in Airflow failed before it opened a run, in place of what it recorded before.
-- Nothing is recorded where an attempt of its ingest has the same error; where Airflow reports none, any attempt.
INSERT INTO sentiment.unopened_run (dag_id, airflow_run_id, night, source, dump_uri, error_kind, error, try_next)
SELECT :dag_id, :airflow_run_id, coalesce(cast(:night AS date), r.night), coalesce(:source, r.source),
  coalesce(:dump_uri, d.uri), :error_kind, :error, :try_next
FROM (SELECT cast(:requeued AS text) AS run_id) AS requeued
LEFT JOIN sentiment.run r USING (run_id)
LEFT JOIN sentiment.dump d USING (dump_id)
WHERE NOT EXISTS (
  SELECT 1 FROM sentiment.run o JOIN sentiment.run_step s USING (run_id)
  WHERE o.airflow_run_id = :airflow_run_id AND s.step = 'ingest'
    AND (s.error = :attempt_error OR cast(:attempt_error AS text) IS NULL))
ON CONFLICT (dag_id, airflow_run_id) DO UPDATE SET night = excluded.night, source = excluded.source,
  dump_uri = excluded.dump_uri, error_kind = excluded.error_kind, error = excluded.error, try_next = excluded.try_next,
  failed_at = now()
