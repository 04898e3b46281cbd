-- Return the errors of attempts of a source, and of what they hand on what quotes values, with where each row lies.
SELECT ctid::text, error, (detail->'allowed')::text, detail->>'words' FROM sentiment.run_step
WHERE run_id IN (SELECT run_id FROM sentiment.run WHERE source = :source)
