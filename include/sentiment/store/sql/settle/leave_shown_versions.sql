-- Leave in chosen_version only the reviews that have to show another version than now.
DELETE FROM chosen_version w USING sentiment.review r
WHERE r.review_id = w.review_id
  AND (r.content_hash = w.content_hash OR (w.content_hash IS NULL AND r.run_id <> ALL(:replaced)))
