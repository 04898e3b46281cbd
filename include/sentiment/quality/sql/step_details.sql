-- Return the details of the finished ingest and validate of a run, of each the newest attempt's; in runs of earlier
-- versions find_dump left what ingest leaves now.
SELECT DISTINCT ON (step = 'validate') detail
FROM sentiment.run_step
WHERE run_id = :run_id AND state = 'done' AND (step = 'validate' OR detail ? 'layouts')
ORDER BY step = 'validate', token DESC
