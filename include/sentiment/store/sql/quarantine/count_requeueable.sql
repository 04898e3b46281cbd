-- Count the refused records of a run that no person asked to have removed.
SELECT count(*) FROM sentiment.quarantine WHERE run_id = :run_id AND NOT :forgotten = ANY(reasons)
