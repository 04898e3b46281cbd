-- The run of a night, source, dump and model that counts: the published one, else the one that is not over.
-- With :requeue_of the one that was opened to replace that run; where it is null, an open requeue is none.
SELECT run.run_id, run.night, run.source, run.dump_id, run.model_id, run.status, run.supersedes, run.reason, run.verdict,
  run.rows_read, run.rows_accepted, run.rows_quarantined, run.rows_duplicate, run.rows_scored, run.rows_reused,
  run.rows_published, requeued.run_id AS requeue_of
FROM sentiment.run run
LEFT JOIN sentiment.run requeued ON requeued.run_id = run.supersedes AND requeued.dump_id = run.dump_id
WHERE run.night = :night AND run.source = :source AND run.dump_id = :dump_id AND run.model_id = :model_id
  AND run.status <> 'superseded'
  AND CASE WHEN cast(:requeue_of AS text) IS NULL THEN requeued.run_id IS NULL OR run.status = 'published'
      ELSE requeued.run_id = :requeue_of END
ORDER BY run.status = 'published' DESC
LIMIT 1
