-- The newest attempt of a step that finished, with what it left for the steps after it.
SELECT token, detail FROM sentiment.run_step
WHERE run_id = :run_id AND step = :step AND state = 'done'
ORDER BY token DESC
LIMIT 1
