-- Of a film's newest reviews of each rating: how many, and how many of them the current model labels positive.
SELECT n.rating, count(*) AS n_reviews, count(*) FILTER (WHERE n.label = m.positive_label) AS n_positive
FROM (
  SELECT v.rating, v.label, v.model_id FROM sentiment.v_review_sentiment v
  WHERE v.source = :source AND v.item_id = :item_id ORDER BY v.first_night DESC LIMIT :newest
) AS n JOIN sentiment.model m USING (model_id)
WHERE n.rating IS NOT NULL
GROUP BY n.rating ORDER BY n.rating
