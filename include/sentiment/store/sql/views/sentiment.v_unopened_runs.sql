-- Nights that failed before their run was opened: what v_runs can't show.
CREATE OR REPLACE VIEW sentiment.v_unopened_runs AS
SELECT failed_at, night, source, dump_uri, dag_id, airflow_run_id, error_kind, error, try_next
FROM sentiment.unopened_run;

COMMENT ON VIEW sentiment.v_unopened_runs IS
  'Nights that failed before their run was opened, as where the dump is missing or unreadable; v_runs has the others';
COMMENT ON COLUMN sentiment.v_unopened_runs.failed_at IS 'when find_dump or ingest last failed';
COMMENT ON COLUMN sentiment.v_unopened_runs.night IS 'the night that was to be run; null where it is not known';
COMMENT ON COLUMN sentiment.v_unopened_runs.source IS 'where its reviews come from; null where it is not known';
COMMENT ON COLUMN sentiment.v_unopened_runs.dump_uri IS 'the dump as it was requested; null where it is not known';
COMMENT ON COLUMN sentiment.v_unopened_runs.dag_id IS 'the DAG: nightly_reviews or requeue_quarantine';
COMMENT ON COLUMN sentiment.v_unopened_runs.airflow_run_id IS 'run id in Airflow';
COMMENT ON COLUMN sentiment.v_unopened_runs.error_kind IS 'class of the error';
COMMENT ON COLUMN sentiment.v_unopened_runs.error IS 'message of the error, without what it quotes of the dump''s content';
COMMENT ON COLUMN sentiment.v_unopened_runs.try_next IS 'command to type next; null where none helps';

GRANT SELECT ON sentiment.v_unopened_runs TO sentiment_writer, sentiment_reader;
