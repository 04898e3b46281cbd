-- Positive share of each published night of a source by the current model.
SELECT night, model_id, n_reviews, n_fresh, n_positive, share_positive, share_positive_low, share_positive_high,
  share_fresh_positive, n_uncertain, n_items
FROM sentiment.v_daily_sentiment
WHERE source = :source AND night <= :night AND night > CAST(:night AS date) - CAST(:days AS integer)
ORDER BY night
