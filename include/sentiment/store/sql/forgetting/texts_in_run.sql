-- Return the summaries of runs of a source, in which anything may stand, with where each row lies.
SELECT ctid::text, verdict FROM sentiment.run
WHERE source = :source
