-- Empty the bytes and details of the rows that lie there.
UPDATE sentiment.quarantine SET raw = '', details = ''
WHERE ctid = ANY(cast(:row_ids AS tid[]))
