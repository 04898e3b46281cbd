-- Return each review that nights before this one listed, with the content that the last of them showed.
SELECT DISTINCT ON (review_id) review_id, content_hash AS known_hash, NULL::text AS known_text_hash
FROM sentiment.night_review
WHERE source = :source AND night < :night
ORDER BY review_id, night DESC
