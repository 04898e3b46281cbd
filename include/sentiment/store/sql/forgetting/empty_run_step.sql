-- Empty the error of the rows that lie there.
UPDATE sentiment.run_step SET error = 'It named a forgotten review.'
WHERE ctid = ANY(cast(:row_ids AS tid[]))
