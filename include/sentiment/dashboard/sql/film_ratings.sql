-- Of a film's reviews of each rating: how many, and how many of them the current model labels positive.
SELECT v.rating, count(*) AS n_reviews, count(*) FILTER (WHERE v.label = m.positive_label) AS n_positive
FROM sentiment.v_review_sentiment v JOIN sentiment.model m USING (model_id)
WHERE v.source = :source AND v.item_id = :item_id AND v.rating IS NOT NULL
GROUP BY v.rating ORDER BY v.rating
