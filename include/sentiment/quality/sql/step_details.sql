-- Return the details of the finished find_dump and validate of a run, of each the newest attempt's.
SELECT DISTINCT ON (step) detail
FROM sentiment.run_step
WHERE run_id = :run_id AND state = 'done' AND step IN ('find_dump', 'validate')
ORDER BY step, token DESC
