-- Empty the summary of the rows that lie there.
UPDATE sentiment.run SET verdict = 'It named a forgotten review.'
WHERE ctid = ANY(cast(:row_ids AS tid[]))
