-- Empty the error of the rows that lie there.
UPDATE sentiment.unopened_run SET error = 'It named a forgotten review.', try_next = NULL
WHERE ctid = ANY(cast(:row_ids AS tid[]))
