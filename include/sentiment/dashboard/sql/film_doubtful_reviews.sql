-- Of a film's newest reviews those that the model is least sure of.
SELECT * FROM (
  SELECT review_id, review_date, author_pseudonym, rating, title, text, label, p_positive, score, uncertain, first_night
  FROM sentiment.v_review_sentiment
  WHERE source = :source AND item_id = :item_id
  ORDER BY first_night DESC LIMIT :newest
) AS n
ORDER BY abs(coalesce(p_positive, score) - 0.5), review_id LIMIT :most OFFSET :skipped
