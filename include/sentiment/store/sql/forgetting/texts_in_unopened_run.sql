-- Return the errors of nights without a run, of a source or an unknown one, with where each row lies.
SELECT ctid::text, error, try_next FROM sentiment.unopened_run
WHERE coalesce(source, :source) = :source
