-- The run that published a night of a source from another dump, the latest first.
SELECT run_id FROM sentiment.run
WHERE night = :night AND source = :source AND status = 'published' AND dump_id <> :dump_id
ORDER BY published_at DESC
LIMIT 1
