-- Return the run of a source that was published last; runs that only rescored a night do not change what is known.
SELECT run_id
FROM sentiment.run r
WHERE published_at IS NOT NULL AND source = :source
  AND NOT EXISTS (SELECT 1 FROM sentiment.run_step s WHERE s.run_id = r.run_id AND s.step = 'rescore')
ORDER BY published_at DESC
LIMIT 1
