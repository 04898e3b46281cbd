-- Delete the scores of texts that are not shown any more.
DELETE FROM sentiment.review_sentiment s USING sentiment.review r, chosen_version w
WHERE s.review_id = w.review_id AND r.review_id = w.review_id AND s.text_hash <> r.text_hash
