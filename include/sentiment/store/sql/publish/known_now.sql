-- Return each review as it is shown: what nights before the newest listed.
SELECT review_id, content_hash AS known_hash, NULL::text AS known_text_hash FROM sentiment.review WHERE source = :source
