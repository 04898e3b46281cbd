-- Return the payloads and details of refused records of a source, in which anything may stand, with where each row lies.
SELECT ctid::text, raw, details FROM sentiment.quarantine
WHERE run_id IN (SELECT run_id FROM sentiment.run WHERE source = :source)
