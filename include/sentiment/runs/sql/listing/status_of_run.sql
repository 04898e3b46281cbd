-- What became of a run so far.
SELECT status FROM sentiment.v_runs
WHERE run_id = :run_id
