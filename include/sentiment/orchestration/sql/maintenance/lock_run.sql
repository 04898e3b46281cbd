-- Lock a run: none of its steps starts until this transaction ends.
SELECT 1 FROM sentiment.run WHERE run_id = :run_id FOR UPDATE
