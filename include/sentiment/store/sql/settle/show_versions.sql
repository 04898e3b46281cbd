-- Show the chosen versions.
UPDATE sentiment.review r SET
  item_id = v.item_id, item_type = v.item_type, item_title = v.item_title, author = v.author, rating = v.rating,
  review_date = v.review_date, title = v.title, text = v.text, polarity = v.polarity, text_hash = v.text_hash,
  content_hash = v.content_hash, run_id = v.run_id
FROM chosen_version w JOIN sentiment.review_version v USING (review_id, content_hash)
WHERE r.review_id = w.review_id
