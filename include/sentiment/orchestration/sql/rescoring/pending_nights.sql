-- List the published nights of a range that a model has not published, the newest first: they show the most reviews.
-- Nights whose months retention has dropped hold no reviews to score any more.
SELECT DISTINCT r.night, r.dump_id
FROM sentiment.run r
WHERE r.source = :source AND r.status = 'published' AND r.night BETWEEN :first AND :last
  AND NOT EXISTS (
    SELECT 1 FROM sentiment.run o
    WHERE o.night = r.night AND o.source = r.source AND o.model_id = :model AND o.status = 'published')
  AND EXISTS (SELECT 1 FROM sentiment.night_review n WHERE n.night = r.night AND n.source = r.source)
ORDER BY r.night DESC
