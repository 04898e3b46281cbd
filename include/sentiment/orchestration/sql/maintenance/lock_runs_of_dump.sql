-- Lock the runs of a dump, always in the same order: none of their steps starts until this transaction ends.
SELECT 1 FROM sentiment.run WHERE dump_id = :dump_id ORDER BY run_id FOR UPDATE
