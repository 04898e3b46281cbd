-- Positive share of each published night of a source, with the model and whether its run replaced another.
SELECT d.night, d.model_id, d.n_reviews, d.n_fresh, d.n_positive, d.share_positive, d.share_positive_low,
  d.share_positive_high, d.share_fresh_positive, d.n_uncertain, d.n_items, r.supersedes IS NOT NULL AS is_superseding
FROM sentiment.v_daily_sentiment d
JOIN sentiment.run r ON r.source = d.source AND r.night = d.night AND r.model_id = d.model_id AND r.status = 'published'
WHERE d.source = :source AND d.night <= :night AND d.night > CAST(:night AS date) - CAST(:days AS integer)
ORDER BY d.night
