-- Count the nights and reviews that a model has published of a range.
SELECT count(*) AS nights, coalesce(sum(rows_published), 0)::bigint AS reviews
FROM sentiment.run
WHERE model_id = :model AND source = :source AND night BETWEEN :first AND :last AND status = 'published'
