-- Delete the refused records that an earlier attempt of the run left.
DELETE FROM sentiment.quarantine WHERE run_id = :run_id
