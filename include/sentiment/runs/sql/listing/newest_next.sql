-- The command to type next by the newest attempt of a run.
SELECT try_next FROM sentiment.run_step WHERE run_id = :run_id ORDER BY token DESC LIMIT 1
