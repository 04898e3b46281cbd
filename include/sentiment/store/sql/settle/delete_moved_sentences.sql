-- Delete the sentences of reviews whose text changes.
DELETE FROM sentiment.sentence_sentiment s
USING chosen_version w JOIN sentiment.review_version v USING (review_id, content_hash), sentiment.review r
WHERE s.review_id = w.review_id AND r.review_id = w.review_id AND r.text <> v.text
