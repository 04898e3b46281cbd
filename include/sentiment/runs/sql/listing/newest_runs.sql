-- List runs with their counts, the newest first.
SELECT run_id, night, source, model_id, status, rows_read, rows_accepted, rows_quarantined, rows_duplicate,
       rows_scored, rows_reused, rows_published, started_at
FROM sentiment.v_runs
ORDER BY started_at DESC
LIMIT :limit
