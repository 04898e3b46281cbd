-- Count reviews that have to show a version that is not kept any more, with one as an example.
SELECT count(*) AS n, min(review_id) AS review_id
FROM chosen_version w
WHERE EXISTS (SELECT 1 FROM sentiment.review r WHERE r.review_id = w.review_id)
  AND NOT EXISTS (
    SELECT 1 FROM sentiment.review_version v WHERE v.review_id = w.review_id AND v.content_hash = w.content_hash)
