-- Insert the reviews that are in no table yet: for a night that is not the newest of its source, or replaces another.
INSERT INTO sentiment.review (
  review_id, source, item_id, item_type, item_title, author, rating, review_date, title, text, polarity, text_hash,
  content_hash, first_night, run_id)
SELECT review_id, :source, item_id, item_type, item_title, author, rating, review_date, title, text, polarity,
  text_hash, content_hash, :night, :run_id
FROM staged_review
WHERE text IS NOT NULL
ON CONFLICT DO NOTHING
