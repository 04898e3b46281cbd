-- Return the errors of attempts of a source, in which anything may stand, with where each row lies.
SELECT ctid::text, error FROM sentiment.run_step
WHERE run_id IN (SELECT run_id FROM sentiment.run WHERE source = :source)
