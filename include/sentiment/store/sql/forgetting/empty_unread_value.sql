-- Empty the value of the rows that lie there.
UPDATE sentiment.unread_value SET value = ''
WHERE ctid = ANY(cast(:row_ids AS tid[]))
