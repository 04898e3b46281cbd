-- A film's newest reviews.
SELECT review_id, review_date, author_pseudonym, rating, title, text, label, p_positive, score, uncertain, first_night
FROM sentiment.v_review_sentiment
WHERE source = :source AND item_id = :item_id
ORDER BY first_night DESC, review_id LIMIT :most OFFSET :skipped
