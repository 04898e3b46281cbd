-- Return which of the text hashes other reviews have too.
SELECT text_hash FROM sentiment.review WHERE text_hash = ANY(:hashes) AND review_id <> :id
UNION
SELECT text_hash FROM sentiment.review_version WHERE text_hash = ANY(:hashes) AND review_id <> :id
