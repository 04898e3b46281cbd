-- One run by its id.
SELECT run.run_id, run.night, run.source, run.dump_id, run.model_id, run.status, run.supersedes, run.reason, run.verdict,
  run.rows_read, run.rows_accepted, run.rows_quarantined, run.rows_duplicate, run.rows_scored, run.rows_reused,
  run.rows_published, requeued.run_id AS requeue_of
FROM sentiment.run run
LEFT JOIN sentiment.run requeued ON requeued.run_id = run.supersedes AND requeued.dump_id = run.dump_id
WHERE run.run_id = :run_id
