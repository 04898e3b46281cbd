-- Every run with its counts; superseded ones stay.
CREATE OR REPLACE VIEW sentiment.v_runs AS
SELECT r.run_id, r.night, r.source, r.model_id, d.uri AS dump_uri,
  CASE
    WHEN r.status = 'failed' AND (
      SELECT s.error_kind FROM sentiment.run_step s WHERE s.run_id = r.run_id ORDER BY s.token DESC LIMIT 1
    ) = 'DumpRefusedError' THEN 'stopped'
    -- A run without a summary is not over. 12 minutes: 10 after which an attempt is taken for dead, and the 2 that
    -- Airflow waits at most before it tries again (dag_defaults.LONGEST_RETRY_DELAY).
    WHEN r.status IN ('running', 'audited') AND r.verdict IS NULL AND now() - interval '12 minutes' > greatest(
      r.started_at, (SELECT max(s.heartbeat_at) FROM sentiment.run_step s WHERE s.run_id = r.run_id)
    ) THEN 'interrupted'
    ELSE r.status
  END AS status,
  r.rows_read, r.rows_accepted, r.rows_quarantined, r.rows_duplicate, r.rows_scored, r.rows_reused, r.rows_published,
  r.verdict, r.reason, r.airflow_run_id, r.code_version, r.started_at, r.finished_at, r.published_at, r.supersedes,
  coalesce(r.status = 'published' AND r.night = (SELECT max(l.night) FROM sentiment.run l
    WHERE l.source = r.source AND l.model_id = r.model_id AND l.status = 'published'), false) AS is_last_good,
  (SELECT o.run_id FROM sentiment.run o WHERE o.run_id = r.supersedes AND o.dump_id = r.dump_id) AS requeue_of
FROM sentiment.run r JOIN sentiment.dump d USING (dump_id);

COMMENT ON VIEW sentiment.v_runs IS
  'Every run with its counts; superseded ones stay';
COMMENT ON COLUMN sentiment.v_runs.run_id IS 'the run';
COMMENT ON COLUMN sentiment.v_runs.night IS 'the night';
COMMENT ON COLUMN sentiment.v_runs.source IS 'where the reviews come from';
COMMENT ON COLUMN sentiment.v_runs.model_id IS 'the model';
COMMENT ON COLUMN sentiment.v_runs.dump_uri IS 'the dump as it was asked for';
COMMENT ON COLUMN sentiment.v_runs.status IS
  'running: an attempt works, or the next is about to; audited: all is done but publishing, as after a dry run; '
  'published: visible to readers; superseded: another run of its night replaced it; '
  'stopped: a batch check refused its dump; failed: its newest attempt ended by another error; '
  'interrupted: not over, and no attempt was alive for longer than Airflow waits at most before it tries again';
COMMENT ON COLUMN sentiment.v_runs.rows_read IS 'records read';
COMMENT ON COLUMN sentiment.v_runs.rows_accepted IS 'reviews accepted';
COMMENT ON COLUMN sentiment.v_runs.rows_quarantined IS 'records quarantined';
COMMENT ON COLUMN sentiment.v_runs.rows_duplicate IS 'records that repeat a review';
COMMENT ON COLUMN sentiment.v_runs.rows_scored IS 'texts scored in this run';
COMMENT ON COLUMN sentiment.v_runs.rows_reused IS 'texts scored before';
COMMENT ON COLUMN sentiment.v_runs.rows_published IS 'reviews published';
COMMENT ON COLUMN sentiment.v_runs.verdict IS 'the night in one sentence';
COMMENT ON COLUMN sentiment.v_runs.reason IS 'why a person superseded or overrode';
COMMENT ON COLUMN sentiment.v_runs.airflow_run_id IS 'run id in Airflow';
COMMENT ON COLUMN sentiment.v_runs.code_version IS 'version of this project';
COMMENT ON COLUMN sentiment.v_runs.started_at IS 'when it began';
COMMENT ON COLUMN sentiment.v_runs.finished_at IS 'when it ended';
COMMENT ON COLUMN sentiment.v_runs.published_at IS 'when its rows became visible';
COMMENT ON COLUMN sentiment.v_runs.supersedes IS 'the run it was asked to replace';
COMMENT ON COLUMN sentiment.v_runs.is_last_good IS 'whether it published the newest night of its source and model';
COMMENT ON COLUMN sentiment.v_runs.requeue_of IS 'the run of the same dump whose refused records it took up again';

GRANT SELECT ON sentiment.v_runs TO sentiment_writer, sentiment_reader;
