-- Return the run that a night ended with: the published one before one that a dry run left audited.
SELECT run_id, published_at
FROM sentiment.run
WHERE night = :night AND model_id = :model AND source = :source AND status IN ('published', 'audited')
ORDER BY status DESC, finished_at DESC
LIMIT 1
