-- Insert the reviews that are new: for the newest night of a source, where they are in no table yet.
-- ON CONFLICT would look every key up once more.
INSERT INTO sentiment.review (
  review_id, source, item_id, item_type, item_title, author, rating, review_date, title, text, polarity, text_hash,
  content_hash, first_night, run_id)
SELECT review_id, :source, item_id, item_type, item_title, author, rating, review_date, title, text, polarity,
  text_hash, content_hash, :night, :run_id
FROM staged_review
WHERE novelty = 'new'
