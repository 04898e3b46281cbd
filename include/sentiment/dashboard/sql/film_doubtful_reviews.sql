-- The reviews of a film that the model is least sure of.
SELECT review_id, review_date, author_pseudonym, rating, title, text, label, p_positive, score, uncertain, first_night
FROM sentiment.v_review_sentiment
WHERE source = :source AND item_id = :item_id
ORDER BY abs(coalesce(p_positive, score) - 0.5), review_id LIMIT :most
