-- Return all versions of a review: the one shown and those kept.
SELECT source, author, text, text_hash FROM sentiment.review WHERE review_id = :id
UNION
SELECT source, author, text, text_hash FROM sentiment.review_version WHERE review_id = :id
