-- Return the values of a source that could not be read, in which anything may stand, with where each row lies.
SELECT ctid::text, value FROM sentiment.unread_value
WHERE run_id IN (SELECT run_id FROM sentiment.run WHERE source = :source)
