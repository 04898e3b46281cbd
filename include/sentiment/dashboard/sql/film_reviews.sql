-- A film's newest reviews, or those that the model is least sure of.
SELECT review_id, review_date, author_pseudonym, rating, title, text, label, p_positive, score, uncertain, last_night
FROM sentiment.v_review_sentiment
WHERE source = :source AND item_id = :item_id
ORDER BY CASE WHEN CAST(:by_doubt AS boolean) THEN abs(p_positive - 0.5) END, last_night DESC, review_date DESC NULLS LAST,
  review_id
LIMIT :most
