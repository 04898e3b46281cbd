-- Delete the values that could not be read that an earlier attempt of the run left.
DELETE FROM sentiment.unread_value WHERE run_id = :run_id
